//! What `natter dev --demo` prints works as pasted.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use serde_json::Value;

use natter_testkit::DevServer;

use crate::NATTER;

/// The line after the one that begins with this.
fn line_below(banner: &str, heading: &str) -> String {
    let mut lines = banner.lines().skip_while(|line| !line.starts_with(heading));
    lines.nth(1).unwrap_or_else(|| panic!("no '{heading}' in:\n{banner}")).trim().to_owned()
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn frames(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not a frame: {line}")))
        .collect()
}

#[tokio::test]
async fn the_lines_of_the_banner_work_as_pasted() {
    // A proxy of the surroundings is not for this machine's own addresses.
    let proxies = [("http_proxy", "http://127.0.0.1:9"), ("all_proxy", "http://127.0.0.1:9")];
    let natter = DevServer::start_with(NATTER, &proxies, &["--demo"]).await;
    let banner = natter.banner();

    let output = shell(&line_below(&banner, "A token")).output().unwrap();
    let session: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(session["user"]["username"], "alice");
    assert!(session["token"].is_string());

    let output = shell(&line_below(&banner, "A message over a socket")).output().unwrap();
    assert!(output.status.success());
    let heard = frames(&String::from_utf8_lossy(&output.stdout));
    assert!(heard.iter().any(|frame| frame["type"] == "ack"), "{heard:?}");
    let answered = |frame: &&Value| frame["message"]["content"] == "echo: hello from the shell";
    assert!(heard.iter().any(|frame| answered(&frame)), "{heard:?}");

    let mut child =
        shell(&line_below(&banner, "A socket that stays open")).stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut typed = child.stdin.take().unwrap();
    typed.write_all(b"hello bob\n").unwrap();
    let ack = lines.by_ref().find(|line| line.as_ref().unwrap().contains("\"ack\""));
    assert!(ack.is_some());
    drop(typed);
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn a_demo_started_again_keeps_what_was_there() {
    let mut natter = DevServer::start_with(NATTER, &[], &["--demo"]).await;
    assert!(natter.stop().await.success());
    natter.start_again().await;
    let output = shell(&line_below(&natter.banner(), "A message over a socket")).output().unwrap();
    let heard = frames(&String::from_utf8_lossy(&output.stdout));
    assert!(heard.iter().any(|frame| frame["type"] == "ack"), "{heard:?}");
}
