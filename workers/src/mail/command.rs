//! Mail by a program (`MAIL_COMMAND`): it is started without a shell, and reads the message from its standard input.

use std::process::Stdio;

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

use super::SendError;

/// What it prints on standard error beyond this is not read.
const COMPLAINT: u64 = 2_000;
/// What it gets of the environment, in which a worker has secrets.
const ENVIRONMENT: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// A program that was started, and what it has started: they end when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Once it is reaped its number may be another's.
        let group = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

/// The program ends when this is dropped, with all of its processes.
pub async fn send(command: &[String], message: &[u8]) -> Result<(), SendError> {
    let later = |what: &str, error: std::io::Error| SendError::later(format!("MAIL_COMMAND {what}: {error}"));
    let Some((program, arguments)) = command.split_first() else {
        return Err(SendError::later("MAIL_COMMAND is empty".to_owned()));
    };
    let kept = ENVIRONMENT.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(kept)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0)
        .spawn()
        .map_err(|error| later("does not start", error))?;
    let (input, errors) = (child.stdin.take(), child.stderr.take());
    let mut running = Running(child);
    let written = async {
        if let Some(mut input) = input {
            // It may end without reading all of it: then its exit status counts.
            let _ = input.write_all(message).await;
            let _ = input.shutdown().await;
        }
    };
    let complaint = async {
        let mut text = Vec::new();
        if let Some(errors) = errors {
            let _ = errors.take(COMPLAINT).read_to_end(&mut text).await;
        }
        text
    };
    let ((), complaint, status) = tokio::join!(written, complaint, running.0.wait());
    let status = status.map_err(|error| later("was lost", error))?;
    if status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&complaint);
    Err(SendError::later(format!("MAIL_COMMAND: {status}: {}", complaint.trim().escape_debug())))
}
