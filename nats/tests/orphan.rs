//! A nats-server never outlives the process that started it, even when that process is killed.
//!
//! This program starts itself a second time; the second one starts the server and is killed.
#![cfg_attr(
    not(target_os = "linux"),
    expect(unused, reason = "only Linux signals a child at its parent's death")
)]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use natter_nats::server::{self, Options, Server};

const ROLE: &str = "NATTER_TEST_PARENT_IN";

fn main() {
    match std::env::var_os(ROLE) {
        Some(folder) => parent(Path::new(&folder)),
        None if cfg!(target_os = "linux") => a_server_ends_with_a_parent_that_is_killed(),
        None => {}
    }
}

/// Starts a server, says its pid, and waits to be killed.
fn parent(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = Options {
            binary: server::find().expect("a nats-server"),
            data_dir: folder.to_owned(),
            always_sync: false,
            max_store_bytes: 1 << 30,
        };
        let server = Server::start(options).await.expect("it starts");
        let mut out = std::io::stdout();
        writeln!(out, "{}", server.pid().expect("it runs")).expect("the reader is there");
        std::future::pending::<()>().await;
    });
}

fn a_server_ends_with_a_parent_that_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut parent = Command::new(std::env::current_exe().expect("this program"))
        .env(ROLE, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut line = String::new();
    let output = parent.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut line).expect("the pid");
    let process = format!("/proc/{}", line.trim().parse::<u32>().expect("a pid"));
    assert!(runs(&process), "the server runs while its parent does");

    parent.kill().expect("SIGKILL");
    parent.wait().expect("it died");
    let deadline = Instant::now() + Duration::from_secs(5);
    while runs(&process) {
        assert!(Instant::now() < deadline, "the server outlived its parent");
        std::thread::yield_now();
    }
}

/// Neither gone nor a zombie that only waits for its new parent.
fn runs(process: &str) -> bool {
    fs::read_to_string(format!("{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}
