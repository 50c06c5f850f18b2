//! When it refuses to start, with a sentence; and how it ends.

use std::{fs, net::TcpListener, process::Output};

use natter_testkit::{DevServer, Received, User, command, is_alive};

use crate::NATTER;

fn run(settings: &[(&str, &str)], arguments: &[&str], data: &std::path::Path) -> Output {
    let mut command = command(NATTER, settings);
    command.args(["dev", "--data-dir"]).arg(data).args(arguments);
    command.output().unwrap()
}

/// The one sentence of a start that failed, which says all of this.
#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty());
    let sentence = said.lines().find(|line| line.starts_with("natter: "));
    let sentence = sentence.unwrap_or_else(|| panic!("no sentence: {said}"));
    for word in words {
        assert!(sentence.contains(word), "'{word}' is not in: {sentence}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

const PORTS: [&str; 4] = ["--port", "0", "--admin-port", "0"];

#[tokio::test]
async fn a_data_folder_in_use_is_refused_by_name_and_pid_and_its_owner_goes_on() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let output = run(&[], &PORTS, &natter.data());
    let pid = format!("pid {}", natter.pid());
    refused(&output, &[natter.data().to_str().unwrap(), &pid]);
    alice.get("/api/me").await.ok(200);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&[], &["--port", &port, "--admin-port", "0"], &home.path().join("data"));
    refused(&output, &[&port, "--port"]);
    let output = run(&[], &["--port", "0", "--admin-port", &port], &home.path().join("data"));
    refused(&output, &[&port, "--admin-port"]);
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"").unwrap();
    for path in [file.join("below"), file] {
        refused(&run(&[], &PORTS, &path), &[path.to_str().unwrap()]);
    }
}

#[test]
fn a_bad_setting_is_named_with_what_is_allowed() {
    let home = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("PORT", "http"),
        ("HOST", "here"),
        ("PARTITIONS", "0"),
        ("PARTITIONS", "many"),
        ("RATE_LIMITS", "send=fast"),
        ("RATE_LIMITS", "sned=5/s"),
        ("JWT_SECRET", "short"),
        ("JWT_EXPIRES_IN", "2h"),
        ("DURABILITY", "replicated"),
        ("DURABILITY", "strong"),
        ("LOG_MAX_BYTES", "12"),
        ("LOG_LEVEL", "very=loud"),
        ("LOG_FORMAT", "xml"),
        ("CORS_ORIGINS", "*"),
    ] {
        // The port would be a flag's otherwise.
        let ports = if name == "PORT" { &PORTS[2..] } else { &PORTS };
        let output = run(&[(name, value)], ports, &home.path().join("data"));
        refused(&output, &[name]);
    }
    assert!(!home.path().join("data/nats").exists(), "something was started before the settings were read");
}

#[test]
fn a_setting_that_is_not_text_is_refused_not_ignored() {
    use std::os::unix::ffi::OsStrExt;

    let home = tempfile::tempdir().unwrap();
    let mut command = command(NATTER, &[]);
    command.args(["dev", "--data-dir"]).arg(home.path().join("data")).args(PORTS);
    command.env("JWT_SECRET", std::ffi::OsStr::from_bytes(b"0123456789abcdef0123456789abcdef\xff"));
    // Started anyway, it would run until it is killed.
    command.env("LOG_FORMAT", "xml");
    refused(&command.output().unwrap(), &["JWT_SECRET"]);
}

#[tokio::test]
async fn a_misspelled_setting_is_named_at_the_start() {
    let natter = DevServer::start(NATTER, &[("DURABILTY", "relaxed")]).await;
    let log = natter.log();
    assert!(log.contains("DURABILTY is not a setting, and is ignored; did you mean DURABILITY?"), "{log}");
}

#[tokio::test]
async fn another_number_of_partitions_is_refused_on_a_folder_that_exists() {
    let mut natter = DevServer::start(NATTER, &[("PARTITIONS", "2"), ("LOG_MAX_BYTES", "1048576")]).await;
    assert!(natter.stop().await.success());
    let output = run(&[("PARTITIONS", "3"), ("LOG_MAX_BYTES", "1048576")], &PORTS, &natter.data());
    refused(&output, &["PARTITIONS", "2", "3"]);
    natter.start_again().await;
}

#[tokio::test]
async fn ctrl_c_closes_sockets_with_1012_and_ends_with_status_0() {
    let mut natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let nats = natter.nats_pid().unwrap();
    let mut sockets = [alice.socket("phone").await, alice.socket("laptop").await];
    let status = natter.stop().await;
    assert_eq!(status.code(), Some(0), "{}", natter.log());
    for socket in &mut sockets {
        let goodbye = socket.wait_for("goodbye").await;
        assert_eq!(goodbye["reason"], "restarting");
        assert!(goodbye["retryAfterMs"].as_u64() > Some(0), "{goodbye}");
        assert_eq!(socket.next().await, Received::Closed(1012));
    }
    assert!(!is_alive(nats));
}
