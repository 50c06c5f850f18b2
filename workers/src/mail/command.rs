//! Mail by a program (`MAIL_COMMAND`): it is started without a shell, and reads the message from its standard input.

use std::process::Stdio;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

use super::SendError;

/// What it prints on standard error beyond this is not read.
const COMPLAINT: u64 = 2_000;
/// What it gets of the environment, in which a worker has secrets.
const ENVIRONMENT: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// The program ends when this is dropped.
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
        .spawn()
        .map_err(|error| later("does not start", error))?;
    let (input, errors) = (child.stdin.take(), child.stderr.take());
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
    let ((), complaint, status) = tokio::join!(written, complaint, child.wait());
    let status = status.map_err(|error| later("was lost", error))?;
    if status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&complaint);
    Err(SendError::later(format!("MAIL_COMMAND: {status}: {}", complaint.trim().escape_debug())))
}
