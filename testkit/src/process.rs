//! A child process that ends with this one, and its log.

#[cfg(target_os = "linux")]
use std::io::ErrorKind;
use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, mpsc::sync_channel},
    thread::{self, JoinHandle},
};

#[cfg(target_os = "linux")]
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use parking_lot::Mutex;
use serde_json::Value;

use crate::until;

/// Killed when it is dropped. On Linux it also ends when this process is killed.
pub struct Process {
    state: Arc<Mutex<State>>,
    pid: Pid,
    /// Ends with the process.
    waiter: Mutex<Option<JoinHandle<()>>>,
    log: PathBuf,
}

#[derive(Default)]
struct State {
    /// `None` once it is reaped: a pid that is free again must not be signaled.
    running: Option<Pid>,
    status: Option<ExitStatus>,
}

impl Process {
    /// What it writes to stdout and stderr is appended to the file.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = fs::File::options().create(true).append(true).open(log).expect("the log can be written");
        command.stdout(file.try_clone().expect("a file can be cloned")).stderr(file);
        Self::spawn(command, log)
    }

    /// Its output goes where the command says; the log is one of these files.
    pub fn spawn(mut command: Command, log: &Path) -> Self {
        command.stdin(Stdio::null());
        // A group of its own: Ctrl-C in a terminal is for this process.
        command.process_group(0);
        end_with_parent(&mut command);
        let program = command.get_program().to_string_lossy().into_owned();
        let state = Arc::new(Mutex::new(State::default()));
        let (spawned, first) = sync_channel(1);
        let shared = Arc::clone(&state);
        // The kernel ends the child with the thread that started it, so that one lives as long as the child.
        let run = move || match command.spawn() {
            Ok(child) => {
                shared.lock().running = Some(pid_of(&child));
                let _ = spawned.send(Ok(pid_of(&child)));
                wait(child, &shared);
            }
            Err(error) => {
                let _ = spawned.send(Err(error));
            }
        };
        let waiter =
            thread::Builder::new().name("child".to_owned()).spawn(run).expect("a thread can be started");
        let pid = first.recv().expect("the thread reports the start");
        let pid = pid.unwrap_or_else(|error| panic!("{program} cannot be run (make test-deps): {error}"));
        Self { state, pid, waiter: Mutex::new(Some(waiter)), log: log.to_owned() }
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// From here `VmHWM` is the peak since now.
    pub fn reset_peak_memory(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("it is our child");
    }

    /// A line of `/proc/<pid>/status` in KiB, such as `VmRSS`.
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let found = status.lines().find(|text| text.starts_with(line)).expect("a line of every status");
        let kib = found.split_whitespace().nth(1).expect("a number and its unit");
        kib.parse().expect("a number")
    }

    pub fn has_ended(&self) -> bool {
        self.state.lock().running.is_none()
    }

    /// `None` while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.state.lock().status
    }

    /// SIGTERM; returns when it has drained.
    ///
    /// # Panics
    /// When it does not end, or ends with an error.
    pub async fn drain(&self) {
        self.signal(Signal::SIGTERM);
        until("it has drained", async || self.has_ended()).await;
        let status = self.exit_status();
        assert!(status.is_some_and(|status| status.success()), "{status:?}:\n{}", self.log());
    }

    /// kill -9, also of one that is paused; returns when it is gone.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
        if let Some(waiter) = self.waiter.lock().take() {
            let _ = waiter.join();
        }
    }

    /// SIGSTOP; returns when every thread stands. Connections stay open and nothing answers, as in a network that
    /// swallows packets.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        // The signal only begins it: until every thread stands, an answer may still come.
        #[cfg(target_os = "linux")]
        if let Some(pid) = self.state.lock().running {
            let stopped = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT;
            waitid(Id::Pid(pid), stopped).expect("it is our child");
        }
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Everything it has written.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits for a line of its log that has this in it.
    pub async fn wait_for_line(&self, part: &str) -> String {
        self.wait_for(part, |line| line.contains(part).then(|| line.to_owned())).await
    }

    /// Waits for a line of a log in JSON with this message.
    pub async fn wait_for_event(&self, message: &str) -> Value {
        let event = |line: &str| {
            let event = serde_json::from_str::<Value>(line).ok()?;
            (event["message"] == message).then_some(event)
        };
        self.wait_for(message, event).await
    }

    async fn wait_for<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let mut found = None;
        until(&format!("'{what}' in {}", self.log.display()), async || {
            // In this order: its last lines count too.
            let ended = self.has_ended();
            found = self.log().lines().find_map(&find);
            assert!(found.is_some() || !ended, "it ended without '{what}':\n{}", self.log());
            found.is_some()
        })
        .await;
        found.expect("the wait ends with a line")
    }

    /// Nothing happens when it has ended.
    pub fn signal(&self, signal: Signal) {
        // The lock is held and the child not reaped, so the pid is still its own.
        if let Some(pid) = self.state.lock().running {
            signal::kill(pid, signal).expect("it is our child");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("pids are small"))
}

fn wait(mut child: Child, state: &Mutex<State>) {
    #[cfg(target_os = "linux")]
    while waitid(Id::Pid(pid_of(&child)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
        == Err(nix::Error::EINTR)
    {}
    // Elsewhere a death is not seen before the pid is free: signals may come too late there.
    #[cfg(not(target_os = "linux"))]
    let _ = child.wait();
    let mut state = state.lock();
    *state = State { running: None, status: child.wait().ok() };
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "pre_exec has no safe form; the closure makes two async-signal-safe system calls"
)]
fn end_with_parent(command: &mut Command) {
    let parent = Pid::this();
    // SAFETY: between fork and exec only prctl(2) and getppid(2) are called; nothing is allocated or locked.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before the line above: then no signal would come.
            if Pid::parent() == parent { Ok(()) } else { Err(io::Error::from(ErrorKind::Interrupted)) }
        });
    }
}

/// Elsewhere the child ends with a regular end of the test only.
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut Command) {}
