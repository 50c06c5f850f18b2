//! Connections that are held: thousands of them, from one address, without a word.

use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use natter_testkit::{DevServer, User, until_within};

use crate::NATTER;

const SILENT: usize = 3_000;
/// Until a header and a `hello` are due, 10 s each, and what two busy cores add.
const GONE: Duration = Duration::from_secs(40);
/// Between two bytes: often enough that a limit between them would not notice.
const DRIP: Duration = Duration::from_millis(200);
/// The contract's 15 s from header to body, and its 25 s to a ping and 10 s for the pong; and what two busy cores add.
const BODY: Duration = Duration::from_secs(30);
const PING: Duration = Duration::from_mins(1);
/// Of a call meanwhile. A debug build on two busy cores: a release build takes a hundredth of it.
const PATIENT: Duration = Duration::from_secs(2);
/// 40 KiB each, as `limits::CONNECTIONS` has it, and as much again for what a debug build adds.
const EACH_KIB: u64 = 80;

/// As many open files as this process may have, and every one that it starts.
fn raise_files() -> u64 {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    most
}

async fn connection(natter: &DevServer, number: usize) -> TcpStream {
    let upgrade = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut stream = TcpStream::connect(natter.http.strip_prefix("http://").unwrap()).await.unwrap();
    // Of three one says nothing, one begins a header, one becomes a socket without `hello`.
    match number % 3 {
        0 => {}
        1 => stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow:").await.unwrap(),
        _ => stream.write_all(upgrade.as_bytes()).await.unwrap(),
    }
    stream
}

/// A frame of this text, its mask all zeros.
pub fn masked(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[0x81, 0xfe], length.as_slice(), &[0; 4], text.as_bytes()].concat()
}

/// Writes a byte now and then, until the server closes; what it said.
async fn drip(mut stream: TcpStream, byte: &[u8], limit: Duration, what: &str) -> Vec<u8> {
    let (begun, mut heard) = (Instant::now(), Vec::new());
    let mut chunk = [0; 4096];
    loop {
        assert!(begun.elapsed() < limit, "{what} is still open");
        match tokio::time::timeout(DRIP, stream.read(&mut chunk)).await {
            Ok(Ok(0) | Err(_)) => return heard,
            Ok(Ok(read)) => heard.extend_from_slice(&chunk[..read]),
            // It may be closed already: then the next read ends.
            Err(_) => drop(stream.write_all(byte).await),
        }
    }
}

#[tokio::test]
async fn a_byte_now_and_then_keeps_neither_a_body_nor_a_frame_open() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let mut body = TcpStream::connect(natter.http.strip_prefix("http://").unwrap()).await.unwrap();
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    body.write_all(head.as_bytes()).await.unwrap();
    let mut frame = connection(&natter, 2).await;
    let hello = format!("{{\"type\":\"hello\",\"token\":\"{}\"}}", alice.token);
    frame.write_all(&masked(&hello)).await.unwrap();
    // A frame of 60,000 bytes begins.
    frame.write_all(&[0x81, 0xfe, 0xea, 0x60, 0, 0, 0, 0]).await.unwrap();
    let (answer, said) =
        tokio::join!(drip(body, b"1\r\n \r\n", BODY, "a body"), drip(frame, b" ", PING, "a frame"));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("too slowly"), "{answer}");
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("welcome") && said.contains("ping_timeout"), "{said}");
}

#[tokio::test]
async fn three_thousand_silent_connections_keep_no_one_out_and_end() {
    assert!(
        raise_files() > 2 * SILENT as u64,
        "this process may not open {SILENT} connections: raise `ulimit -Hn`"
    );
    let settings = [("MAX_CONNECTIONS_PER_ADDRESS", "3500"), ("RATE_LIMITS", "address=100000/s")];
    let natter = DevServer::start(NATTER, &settings).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let mut socket = alice.socket("phone").await;
    let before = (natter.metric("natter_connections").await, natter.memory_kib("VmRSS"));
    let mut held = Vec::new();
    let mut slowest = Duration::ZERO;
    for number in 0..SILENT {
        held.push(connection(&natter, number).await);
        if number % 100 == 99 {
            let asked = Instant::now();
            alice.get("/api/me").await.ok(200);
            socket.ping().await;
            slowest = slowest.max(asked.elapsed());
        }
    }
    let grown = natter.memory_kib("VmRSS").saturating_sub(before.1);
    assert!(grown < EACH_KIB * SILENT as u64, "{grown} KiB for {SILENT} connections");
    assert!(slowest < PATIENT, "a call took {slowest:?} meanwhile");
    until_within(GONE, "every silent connection is closed", async || {
        // The user's own socket may have been opened again.
        natter.metric("natter_connections").await <= before.0 + 2.0
    })
    .await;
    // They were closed, not left alone: each reads its end.
    for mut stream in held {
        let end = async { while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {} };
        tokio::time::timeout(PATIENT, end).await.expect("the server has closed it");
    }
    socket.ping().await;
}
