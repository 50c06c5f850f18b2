//! The thread that starts nats-server, waits for it and starts it again when it dies unasked.
//!
//! The kernel kills the child when the *thread* that started it ends (`PR_SET_PDEATHSIG`), so the thread is one
//! of its own that lives exactly as long as the child should.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use natter_schemas::backoff::Backoff;
use nix::{sys::signal, unistd::Pid};
use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::{error, warn};

use super::config::Files;

const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A child that lived this long had started; one that did not is another failed start.
const STARTED: Duration = Duration::from_secs(10);
/// Failed starts in a row, about 20 s in all, before it is left alone.
const GIVE_UP: u32 = 10;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Terminate,
    Kill,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Until it is ready: a death is the caller's to report.
    Starting,
    Running,
    Ending,
}

struct State {
    phase: Phase,
    pid: Option<Pid>,
    /// The child was asked to end, and the next one starts at once.
    restarting: bool,
}

pub struct Supervisor {
    state: Mutex<State>,
    /// Wakes the thread from its backoff.
    wake: SyncSender<()>,
    over: watch::Receiver<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Supervisor {
    pub fn start(binary: PathBuf, files: Files) -> io::Result<Arc<Self>> {
        let (wake, woken) = sync_channel(1);
        let (end, over) = watch::channel(false);
        let supervisor = Arc::new(Self {
            state: Mutex::new(State { phase: Phase::Starting, pid: None, restarting: false }),
            wake,
            over,
            thread: Mutex::new(None),
        });
        let (spawned, first) = sync_channel(1);
        let running = Arc::clone(&supervisor);
        let thread = thread::Builder::new().name("nats-server".to_owned()).spawn(move || {
            running.run(&binary, &files, &spawned, &woken);
            end.send_replace(true);
        })?;
        *supervisor.thread.lock() = Some(thread);
        // The thread answers before anything else: either the child runs or it could not be run.
        first.recv().unwrap_or(Ok(()))?;
        Ok(supervisor)
    }

    pub fn keep_running(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Starting {
            state.phase = Phase::Running;
        }
    }

    pub fn pid(&self) -> Option<u32> {
        self.state.lock().pid.and_then(|pid| u32::try_from(pid.as_raw()).ok())
    }

    /// Ends the child, and no other is started.
    pub fn end(&self, with: Signal) {
        let mut state = self.state.lock();
        state.phase = Phase::Ending;
        if let Some(pid) = state.pid {
            let number = match with {
                Signal::Terminate => signal::Signal::SIGTERM,
                Signal::Kill => signal::Signal::SIGKILL,
            };
            // The lock is held and the child not reaped, so the pid is still its own.
            let _ = signal::kill(pid, number);
        }
        let _ = self.wake.try_send(());
    }

    /// Ends the child in order and starts another one. While none runs the next start is already due.
    pub fn restart(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Running
            && let Some(pid) = state.pid
        {
            state.restarting = true;
            // The lock is held and the child not reaped, so the pid is still its own.
            let _ = signal::kill(pid, signal::Signal::SIGTERM);
        }
    }

    pub fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    pub async fn ended(&self) {
        let _ = self.over.clone().wait_for(|over| *over).await;
    }

    pub fn join(&self) {
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }

    fn run(&self, binary: &Path, files: &Files, spawned: &SyncSender<io::Result<()>>, woken: &Receiver<()>) {
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        loop {
            let started = Instant::now();
            match spawn(binary, files) {
                Ok(child) => {
                    self.state.lock().pid = pid_of(&child);
                    let _ = spawned.try_send(Ok(()));
                    self.wait(child);
                }
                Err(error) if self.phase() == Phase::Starting => {
                    let _ = spawned.try_send(Err(error));
                    return;
                }
                Err(error) => warn!(%error, "nats-server cannot be run; trying again"),
            }
            if self.phase() != Phase::Running {
                return;
            }
            if std::mem::take(&mut self.state.lock().restarting) {
                backoff.reset();
                continue;
            }
            if started.elapsed() >= STARTED {
                backoff.reset();
            }
            if backoff.failures() >= GIVE_UP {
                error!(path = %files.log.display(), tail = files.log_tail(), "nats-server does not start any more; it is not started again");
                return;
            }
            let wait = backoff.next_delay();
            error!(wait_ms = wait.as_millis(), path = %files.log.display(), "nats-server died; starting it again after the wait");
            if woken.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// Until the child has died. It is reaped under the lock: a pid that is free again cannot be signaled.
    #[cfg(target_os = "linux")]
    fn wait(&self, mut child: Child) {
        use nix::sys::wait::{Id, WaitPidFlag, waitid};

        if let Some(pid) = pid_of(&child) {
            while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(nix::Error::EINTR)
            {
            }
        }
        let mut state = self.state.lock();
        state.pid = None;
        if let Err(error) = child.wait() {
            warn!(%error, "nats-server died and its exit status cannot be read");
        }
    }

    /// The same where a death is not reported before the pid is free.
    #[cfg(not(target_os = "linux"))]
    fn wait(&self, mut child: Child) {
        loop {
            let mut state = self.state.lock();
            if !matches!(child.try_wait(), Ok(None)) {
                state.pid = None;
                return;
            }
            drop(state);
            thread::park_timeout(BACKOFF_MIN);
        }
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().map(Pid::from_raw)
}

fn spawn(binary: &Path, files: &Files) -> io::Result<Child> {
    // What it says before it opens its log, mistakes in the configuration above all.
    let log = fs::OpenOptions::new().create(true).append(true).open(&files.log)?;
    let mut command = Command::new(binary);
    command.arg("-c").arg(&files.config).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // A group of its own: Ctrl-C in a terminal is for this process, which stops the child last.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    die_with_parent(&mut command);
    command.spawn()
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "pre_exec has no safe form; the closure makes two async-signal-safe system calls"
)]
fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    let parent = Pid::this();
    // SAFETY: between fork and exec only prctl(2) and getppid(2) are called; nothing is allocated or locked.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(signal::Signal::SIGKILL)?;
            // The parent may have died before the line above: then the signal never comes.
            if Pid::parent() == parent { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        });
    }
}

/// Elsewhere the child ends with a polite end of this process only.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command) {}
