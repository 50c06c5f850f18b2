//! A Java process on a thread of its own: the kernel kills the process when the *thread* that started it ends, so
//! the thread lives exactly as long as the process should (see `nats::server`).

use std::{
    fs,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use parking_lot::Mutex;

enum Order {
    Kill,
    Restart,
    HasEnded,
    End,
}

pub struct Jvm {
    orders: SyncSender<(Order, SyncSender<bool>)>,
    pid: std::sync::Arc<Mutex<Pid>>,
    thread: Option<JoinHandle<()>>,
    output: PathBuf,
}

impl Jvm {
    pub fn start(command: Vec<String>, output: PathBuf) -> Self {
        let (orders, taken) = sync_channel(1);
        let (started, first) = sync_channel(1);
        let pid = std::sync::Arc::new(Mutex::new(Pid::from_raw(0)));
        let keeper = Keeper { command, output: output.clone(), pid: pid.clone() };
        let thread = thread::Builder::new().name("jvm".to_owned()).spawn(move || {
            let child = keeper.spawn();
            started.send(()).unwrap();
            keeper.run(child, &taken);
        });
        first.recv().expect("java is in PATH (scripts/fetch-kafka)");
        Self { orders, pid, thread: Some(thread.unwrap()), output }
    }

    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        kill(*self.pid.lock(), signal).expect("it is ours");
    }

    pub fn kill(&self) {
        self.order(Order::Kill);
    }

    pub fn restart(&self) {
        self.order(Order::Restart);
    }

    pub fn has_ended(&self) -> bool {
        self.order(Order::HasEnded)
    }

    pub fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    fn order(&self, order: Order) -> bool {
        let (answer, answered) = sync_channel(1);
        self.orders.send((order, answer)).expect("its thread runs");
        answered.recv().expect("its thread answers")
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        self.order(Order::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Keeper {
    command: Vec<String>,
    output: PathBuf,
    pid: std::sync::Arc<Mutex<Pid>>,
}

impl Keeper {
    fn run(&self, mut child: Child, orders: &Receiver<(Order, SyncSender<bool>)>) {
        for (order, answer) in orders {
            let said = match order {
                Order::HasEnded => child.try_wait().unwrap().is_some(),
                Order::Kill | Order::End => end(&mut child),
                Order::Restart => {
                    end(&mut child);
                    child = self.spawn();
                    true
                }
            };
            let over = matches!(order, Order::End);
            let _ = answer.send(said);
            if over {
                return;
            }
        }
        end(&mut child);
    }

    #[expect(
        unsafe_code,
        reason = "pre_exec has no safe form; the closure makes two async-signal-safe system calls"
    )]
    fn spawn(&self) -> Child {
        let output = fs::OpenOptions::new().create(true).append(true).open(&self.output).unwrap();
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        command.process_group(0);
        let parent = Pid::this();
        // SAFETY: between fork and exec only prctl(2) and getppid(2) are called; nothing is allocated or locked.
        unsafe {
            command.pre_exec(move || {
                nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
                // The parent may have died before the line above: then nobody would be told.
                if Pid::parent() == parent { Ok(()) } else { Err(std::io::ErrorKind::Interrupted.into()) }
            });
        }
        let child = command.spawn().expect("java is in PATH (scripts/fetch-kafka)");
        *self.pid.lock() = Pid::from_raw(i32::try_from(child.id()).unwrap());
        child
    }
}

/// Also one that is held still.
fn end(child: &mut Child) -> bool {
    let _ = child.kill();
    child.wait().is_ok()
}
