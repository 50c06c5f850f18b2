//! The process. The kernel kills it when the *thread* that started it ends (`PR_SET_PDEATHSIG`), and the threads
//! of a test end with the test: it gets one of its own that lives exactly as long.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc::sync_channel},
    thread,
};

use nix::{
    sys::{
        signal::{self, Signal},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use parking_lot::Mutex;

use super::files::Files;

pub struct Jvm {
    /// `None` once it is reaped: nobody can signal a pid that is free again.
    pid: Arc<Mutex<Option<Pid>>>,
}

impl Jvm {
    pub fn spawn(files: &Files) -> Self {
        let mut command = command(files);
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
        thread::Builder::new().name("cassandra".to_owned()).spawn(run).expect("a thread");
        let started = first.recv().expect("the thread answers");
        started.unwrap_or_else(|error| panic!("java cannot be run (scripts/fetch-cassandra): {error}"));
        Self { pid }
    }

    pub fn is_over(&self) -> bool {
        self.pid.lock().is_none()
    }

    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        // The signal only begins it: until every thread stands, an answer may still come.
        #[cfg(target_os = "linux")]
        if let Some(pid) = *self.pid.lock() {
            let stopped = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT;
            waitid(Id::Pid(pid), stopped).expect("it is our child");
        }
    }

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

fn command(files: &Files) -> Command {
    let log = fs::File::options().create(true).append(true).open(files.log()).expect("the folder is ours");
    let mut command = Command::new("java");
    command
        .args(EXPORTS.iter().flat_map(|package| ["--add-exports".to_owned(), all_unnamed(package)]))
        .args(OPENS.iter().flat_map(|package| ["--add-opens".to_owned(), all_unnamed(package)]))
        .args(JVM)
        .arg(format!("-Dcassandra.config=file://{}", files.config().display()))
        .arg(format!("-Dlogback.configurationFile={}", files.logback().display()))
        .arg(format!("-Dcassandra.storagedir={}", files.data().display()))
        .args(CASSANDRA)
        .arg("-cp")
        .arg(jars().join("*"))
        .arg("org.apache.cassandra.service.CassandraDaemon")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file"))
        .stderr(log);
    // A group of its own: Ctrl-C in a terminal is for this process.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    die_with_parent(&mut command);
    command
}

fn all_unnamed(package: &str) -> String {
    format!("{package}=ALL-UNNAMED")
}

fn jars() -> PathBuf {
    let jars = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/cassandra");
    assert!(
        jars.join("coordinates").is_file(),
        "no Cassandra in .deps/cassandra: run scripts/fetch-cassandra"
    );
    jars
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
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before the line above: then nobody would be told.
            if Pid::parent() == parent { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        });
    }
}

/// Elsewhere the child ends with a polite end of the test only.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command) {}

/// A start takes half the time when code is compiled quickly rather than well.
const JVM: [&str; 7] = [
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djava.security.manager=allow",
];

/// One node that waits for no other.
const CASSANDRA: [&str; 5] = [
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=100",
    "-Dcassandra.initial_token=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra-foreground=yes",
];

/// What Cassandra's own jvm17-server.options allow it.
const EXPORTS: [&str; 9] = [
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
];
const OPENS: [&str; 19] = [
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "java.rmi/sun.rmi.transport.tcp",
    "jdk.management/com.sun.management.internal",
];
