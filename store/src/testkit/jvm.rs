//! A Java process of a test. The kernel kills it when the *thread* that started it ends (`PR_SET_PDEATHSIG`), and the threads
//! of a test end with the test: it gets one of its own that lives exactly as long.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc::sync_channel},
    thread::{self, JoinHandle},
};

use nix::{
    sys::{
        signal::{self, Signal},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use parking_lot::Mutex;

/// A Java process that dies with this one.
pub struct Jvm {
    /// `None` once it is reaped: nobody can signal a pid that is free again.
    pid: Arc<Mutex<Option<Pid>>>,
    /// Ends with the process.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Jvm {
    /// `java` with these arguments; its output is appended to the file.
    pub fn spawn(arguments: &[String], output: &Path) -> Self {
        let mut command = command(arguments, output);
        let pid = Arc::new(Mutex::new(None));
        let (spawned, first) = sync_channel(1);
        let kept = Arc::clone(&pid);
        let run = move || {
            let child = command.spawn();
            let running = child.as_ref().map(|child| *kept.lock() = Some(pid_of(child)));
            let _ = spawned.send(running.map_err(io::Error::to_string));
            if let Ok(child) = child {
                wait(child, &kept);
            }
        };
        let thread = thread::Builder::new().name("jvm".to_owned()).spawn(run).expect("a thread");
        let started = first.recv().expect("the thread answers");
        started.unwrap_or_else(|error| panic!("java cannot be run (make test-deps): {error}"));
        Self { pid, thread: Mutex::new(Some(thread)) }
    }

    /// Whether the process has ended.
    pub fn is_over(&self) -> bool {
        self.pid.lock().is_none()
    }

    /// kill -9, also of one that is held still; returns when it is gone.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }

    /// SIGSTOP; returns when every thread stands.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        // The signal only begins it: until every thread stands, an answer may still come.
        #[cfg(target_os = "linux")]
        if let Some(pid) = *self.pid.lock() {
            let stopped = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT;
            waitid(Id::Pid(pid), stopped).expect("it is our child");
        }
    }

    /// SIGCONT.
    pub fn unpause(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        // The lock is held and the child not reaped, so the pid is still its own.
        if let Some(pid) = *self.pid.lock() {
            signal::kill(pid, signal).expect("it is our child");
        }
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        self.kill();
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("pids are small"))
}

fn wait(mut child: Child, pid: &Mutex<Option<Pid>>) {
    #[cfg(target_os = "linux")]
    while waitid(Id::Pid(pid_of(&child)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
        == Err(nix::Error::EINTR)
    {}
    // Elsewhere nobody can be told of a death before the pid is free: signals may come too late there.
    #[cfg(not(target_os = "linux"))]
    let _ = child.wait();
    let mut pid = pid.lock();
    let _ = child.wait();
    *pid = None;
}

fn command(arguments: &[String], output: &Path) -> Command {
    let output = fs::File::options().create(true).append(true).open(output).expect("the folder is ours");
    let mut command = Command::new("java");
    command.args(arguments).stdin(Stdio::null());
    command.stdout(output.try_clone().expect("a file")).stderr(output);
    // A group of its own: Ctrl-C in a terminal is for this process.
    command.process_group(0);
    die_with_parent(&mut command);
    command
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "pre_exec has no safe form; the closure makes two async-signal-safe system calls"
)]
fn die_with_parent(command: &mut Command) {
    let parent = Pid::this();
    // SAFETY: between fork and exec only prctl(2) and getppid(2) are called; nothing is allocated or locked.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before the line above: then nobody would be told.
            if Pid::parent() == parent { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        });
    }
}

/// Elsewhere the child ends with a polite end of the test only.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command) {}
