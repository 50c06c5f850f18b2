//! Hostile connections.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use natter_testkit::{DevServer, Socket, User, until};

use crate::NATTER;

/// The contract's 10 s, and what two busy cores add.
const HEADER: Duration = Duration::from_secs(15);
/// Between the lines of a header that never ends: often enough that a limit between two bytes would not notice.
const DRIP: Duration = Duration::from_millis(200);
/// The contract's 75 s between requests, and what two busy cores add.
const IDLE: Duration = Duration::from_secs(85);
const BODY: Duration = Duration::from_secs(25);
/// Of the contract's 15 s without progress, once both kernels hold all they can.
const STALL: Duration = Duration::from_secs(40);
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
const MIB: usize = 1024 * 1024;

async fn connect(natter: &DevServer) -> TcpStream {
    TcpStream::connect(natter.http.strip_prefix("http://").unwrap()).await.unwrap()
}

/// Whether the server closes within this time; what it answers before it does is of no interest.
async fn ends_within(stream: &mut TcpStream, time: Duration) -> bool {
    let end = async { while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(time, end).await.is_ok()
}

/// What comes until the server closes, within the limit.
async fn rest(mut stream: TcpStream, limit: Duration, what: &str) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(limit, stream.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "{what}: still open after {limit:?}");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn connections_without_a_whole_request_are_closed_in_time() {
    let natter = DevServer::start(NATTER, &[]).await;
    let silent = async { rest(connect(&natter).await, HEADER, "nothing sent").await };
    let half = async {
        let mut stream = connect(&natter).await;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow:").await.unwrap();
        rest(stream, HEADER, "half a header").await
    };
    let drip = async {
        let mut stream = connect(&natter).await;
        stream.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
        let begun = Instant::now();
        // A header line now and then does not buy more time.
        while !ends_within(&mut stream, DRIP).await && stream.write_all(b"X-Drip: 1\r\n").await.is_ok() {
            assert!(begun.elapsed() < HEADER, "a dripping header is still open");
        }
    };
    let idle = async {
        let mut stream = connect(&natter).await;
        stream.write_all(HEALTH).await.unwrap();
        assert!(rest(stream, IDLE, "kept alive").await.starts_with("HTTP/1.1 200"));
    };
    let reused = async {
        let mut stream = connect(&natter).await;
        stream.write_all(HEALTH).await.unwrap();
        assert!(!ends_within(&mut stream, HEADER).await, "closed under the next request");
        stream.write_all(HEALTH).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        // A header that is begun has no more time than the first one.
        stream.write_all(b"GET / ").await.unwrap();
        rest(stream, HEADER, "half of a later header").await;
    };
    let body = async {
        let mut stream = connect(&natter).await;
        let head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                    Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"login\":";
        stream.write_all(head.as_bytes()).await.unwrap();
        assert!(rest(stream, BODY, "half a body").await.starts_with("HTTP/1.1 400"));
    };
    let no_hello = async {
        let mut socket = Socket::open(&natter.http).await;
        assert_eq!(tokio::time::timeout(HEADER, socket.closed()).await, Ok(4001));
    };
    let unread = unread(connect(&natter).await);
    tokio::join!(silent, half, drip, idle, reused, body, no_hello, unread);
    assert!(natter.metric("natter_connections_stalled_total").await >= 1.0);
    assert_eq!(reqwest::get(format!("{}/health", natter.http)).await.unwrap().status(), 200);
}

/// Requests whose answers are never read, until there is no more room for answers; then the server has to end it.
async fn unread(mut stream: TcpStream) {
    let requests = HEALTH.repeat(1_000);
    let flooding = async { while stream.write_all(&requests).await.is_ok() {} };
    assert!(
        tokio::time::timeout(STALL, flooding).await.is_ok(),
        "unread answers: still open after {STALL:?}"
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_with_413_or_cut() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    for size in [65 * 1024, 512 * 1024] {
        let body = json!({"conversationId": "x", "content": "x".repeat(size)});
        assert_eq!(alice.post("/api/messages", &body).await.code(), (413, "too_large"));
    }
    // Far more: the answer may be overtaken by the end of the connection.
    for chunked in [false, true] {
        let mut stream = connect(&natter).await;
        let length = if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 10485760" };
        let head = format!(
            "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = if chunked { format!("10000\r\n{}\r\n", "x".repeat(65_536)) } else { "x".repeat(65_536) };
        let mut sent = 0;
        while sent < 10 * MIB && stream.write_all(chunk.as_bytes()).await.is_ok() {
            sent += 65_536;
        }
        let answer = rest(stream, BODY, "10 MiB").await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    alice.get("/api/me").await.ok(200);
}

#[tokio::test]
async fn bytes_that_are_not_http_are_refused_and_harm_no_one() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(64 * 1024));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(200));
    let big = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "b".repeat(64 * 1024));
    let twice = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                 Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n\r\n";
    for rubbish in ["\x16\x03\x01\x02\x00\x01", "\r\n\r\n\r\n", "GET\r\n\r\n", &long, &many, &big, twice] {
        let mut stream = connect(&natter).await;
        let _ = stream.write_all(rubbish.as_bytes()).await;
        let answer = rest(stream, HEADER, &rubbish.chars().take(20).collect::<String>()).await;
        assert!(!answer.starts_with("HTTP/1.1 2") && !answer.starts_with("HTTP/1.1 500"), "{answer}");
    }
    for path in
        ["/api/messages?conversationId=%00", "/api/users/%2e%2e", "/api/users/%FF", "/api/conversations/*"]
    {
        let answer = alice.get(path).await;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        assert!(answer.body["code"].is_string(), "{path}: {answer:?}");
    }
    alice.get("/api/me").await.ok(200);
}

/// Sends requests of this many methods, each used once, and reads every answer.
async fn invented_methods(natter: &DevServer, first: usize, count: usize) {
    const AT_ONCE: usize = 500;
    let mut stream = connect(natter).await;
    for batch in (first..first + count).step_by(AT_ONCE) {
        let requests = (batch..batch + AT_ONCE).map(|n| format!("M{n} /health HTTP/1.1\r\nHost: x\r\n\r\n"));
        stream.write_all(requests.collect::<String>().as_bytes()).await.unwrap();
        let (mut answers, mut chunk, mut text) = (0, vec![0; MIB], Vec::new());
        while answers < AT_ONCE {
            let read = stream.read(&mut chunk).await.unwrap();
            assert!(read > 0, "closed after {answers} answers");
            text.extend_from_slice(&chunk[..read]);
            answers = text.windows(12).filter(|bytes| *bytes == b"HTTP/1.1 405").count();
        }
    }
}

#[tokio::test]
async fn what_clients_invent_makes_no_series_and_takes_no_memory() {
    let natter = DevServer::start(NATTER, &[("LOG_LEVEL", "warn")]).await;
    // Once each, so that what every process grows to is there.
    invented_methods(&natter, 0, 10_000).await;
    let (series, memory) = (natter.series().await, natter.metric("process_resident_memory_bytes").await);
    invented_methods(&natter, 10_000, 100_000).await;
    let grown = natter.metric("process_resident_memory_bytes").await - memory;
    assert!(natter.series().await.abs_diff(series) < 20, "{series} series became {}", natter.series().await);
    assert!(grown < 24.0 * 1024.0 * 1024.0, "{grown} bytes more");
}

#[tokio::test]
async fn a_flood_of_refusals_is_a_few_log_lines() {
    let natter = DevServer::start(NATTER, &[]).await;
    invented_methods(&natter, 0, 10_000).await;
    let log = natter.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("request refused")).collect();
    assert!((1..50).contains(&lines.len()), "{} lines", lines.len());
    // None is left out of the count, but for those that the next line will name.
    invented_methods(&natter, 10_000, 500).await;
    until("a later line counts those before it", async || {
        invented_methods(&natter, 20_000, 500).await;
        let log = natter.log();
        let counts = log
            .lines()
            .filter(|line| line.contains("request refused"))
            .filter_map(|line| line.split("count=").nth(1)?.split_whitespace().next()?.parse::<u64>().ok());
        counts.sum::<u64>() >= 10_000
    })
    .await;
}
