//! HTTP that is not what it seems. Behind each request stands a second one, which closes the connection: whoever is
//! answered twice has read where the first one ends as the contract (RFC 9112) has it, everyone else once.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use natter_testkit::{DevServer, User};

use crate::NATTER;

/// A connection whose request is not complete is closed after 10 s; the rest is for two busy cores.
const END: Duration = Duration::from_secs(20);
const SECOND: &str = "GET /api/nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const LOG_IN: &str = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

/// The statuses of what comes until the server closes.
async fn statuses(natter: &DevServer, request: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(natter.http.strip_prefix("http://").unwrap()).await.unwrap();
    // It may be closed before all is written.
    let _ = stream.write_all(&[request, SECOND.as_bytes()].concat()).await;
    let mut answers = Vec::new();
    let read = tokio::time::timeout(END, stream.read_to_end(&mut answers)).await;
    assert!(read.is_ok(), "still open: {}", String::from_utf8_lossy(&request[..request.len().min(200)]));
    let text = String::from_utf8_lossy(&answers).into_owned();
    // No answer has that text in its body.
    text.split("HTTP/1.").skip(1).map(|answer| answer[2..5].parse().unwrap()).collect()
}

/// A log-in with these header lines and this body.
fn log_in(headers: &str, body: &str) -> Vec<u8> {
    format!("{LOG_IN}{headers}\r\n{body}").into_bytes()
}

/// A request for one's own profile, without a token: 401.
fn me(line: &str, headers: &str) -> Vec<u8> {
    format!("{line}\r\n{headers}\r\n").into_bytes()
}

/// Where a body ends is said in one way.
fn lengths() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    const NOTHING: &str = "0\r\n\r\n";
    let long = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(20 * 1024));
    vec![
        ("a length", log_in("Content-Length: 2\r\n", "{}"), &[422, 404]),
        ("chunks", log_in(CHUNKED, "2\r\n{}\r\n0\r\n\r\n"), &[422, 404]),
        ("a length, then chunks", log_in(&format!("Content-Length: 4\r\n{CHUNKED}"), NOTHING), &[400]),
        ("chunks, then a length", log_in(&format!("{CHUNKED}Content-Length: 4\r\n"), NOTHING), &[400]),
        ("two lengths", log_in("Content-Length: 2\r\nContent-Length: 40\r\n", "{}"), &[400]),
        ("a length twice", log_in("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"), &[422, 404]),
        ("a list of lengths", log_in("Content-Length: 2, 40\r\n", "{}"), &[400]),
        ("a signed length", log_in("Content-Length: +2\r\n", "{}"), &[400]),
        ("a negative length", log_in("Content-Length: -2\r\n", "{}"), &[400]),
        ("a hexadecimal length", log_in("Content-Length: 0x2\r\n", "{}"), &[400]),
        ("a length past 64 bits", log_in("Content-Length: 18446744073709551618\r\n", "{}"), &[400]),
        ("an empty length", log_in("Content-Length:\r\n", "{}"), &[400]),
        ("a coding that is none", log_in("Transfer-Encoding: xchunked\r\n", NOTHING), &[400]),
        ("chunks that are not last", log_in("Transfer-Encoding: chunked, identity\r\n", NOTHING), &[400]),
        ("a tab in the coding", log_in("Transfer-Encoding: chu\tnked\r\n", NOTHING), &[400]),
        ("a space before the colon", log_in("Transfer-Encoding : chunked\r\n", NOTHING), &[400]),
        ("a folded coding", log_in("Transfer-Encoding:\r\n chunked\r\n", NOTHING), &[400]),
        ("a folded line", log_in("Content-Length: 2\r\nX-A: b\r\n c\r\n", "{}"), &[400]),
        ("a carriage return alone", log_in("X-A: b\rContent-Length: 2\r\n", "{}"), &[400]),
        ("NUL in a value", log_in("X-A: b\0c\r\nContent-Length: 2\r\n", "{}"), &[400]),
        ("a chunk with an extension", log_in(CHUNKED, "2;a=b\r\n{}\r\n0\r\n\r\n"), &[422, 404]),
        ("a chunk with 20 KiB of extensions", log_in(CHUNKED, &long), &[400]),
        ("a chunk of a hexadecimal prefix", log_in(CHUNKED, "0x2\r\n{}\r\n0\r\n\r\n"), &[400]),
        ("a chunk of a sign", log_in(CHUNKED, "+2\r\n{}\r\n0\r\n\r\n"), &[400]),
        ("a chunk past 64 bits", log_in(CHUNKED, "10000000000000002\r\n{}\r\n0\r\n\r\n"), &[400]),
        ("a chunk that is longer", log_in(CHUNKED, "2\r\n{}}}\r\n0\r\n\r\n"), &[400]),
        ("a line feed alone after a chunk", log_in(CHUNKED, "2\n{}\n0\n\n"), &[400]),
        (
            "a trailer that is a length",
            log_in(CHUNKED, "2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n"),
            &[422, 404],
        ),
    ]
}

/// Whom and what a request is for is said in one way.
fn targets() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    const ME: &str = "GET /api/me HTTP/1.1";
    vec![
        ("a host", me(ME, "Host: chat.example:3000\r\n"), &[401, 404]),
        ("no host", me(ME, ""), &[400]),
        ("no host, in HTTP/1.0", me("GET /api/me HTTP/1.0", ""), &[401]),
        ("two hosts", me(ME, "Host: a\r\nHost: b\r\n"), &[400]),
        ("a host twice", me(ME, "Host: a\r\nHost: a\r\n"), &[400]),
        ("a list of hosts", me(ME, "Host: a, b\r\n"), &[400]),
        ("a host with a path", me(ME, "Host: a/b\r\n"), &[400]),
        ("a host with a user", me(ME, "Host: a@b\r\n"), &[400]),
        ("a host with a space", me(ME, "Host: a b\r\n"), &[400]),
        ("an absolute address", me("GET http://other.example/api/me HTTP/1.1", "Host: x\r\n"), &[401, 404]),
        ("an address of another scheme", me("GET ftp://x/api/me HTTP/1.1", "Host: x\r\n"), &[401, 404]),
        (
            "an authority",
            me("CONNECT other.example:443 HTTP/1.1", "Host: other.example:443\r\n"),
            &[404, 404],
        ),
        ("an asterisk", me("OPTIONS * HTTP/1.1", "Host: x\r\n"), &[200, 404]),
        ("a fragment", me("GET /api/me#x HTTP/1.1", "Host: x\r\n"), &[401, 404]),
        ("no path", me("GET  HTTP/1.1", "Host: x\r\n"), &[400]),
        ("a space in the path", me("GET /api/me x HTTP/1.1", "Host: x\r\n"), &[400]),
        ("NUL in the path", me("GET /api/me\0 HTTP/1.1", "Host: x\r\n"), &[400]),
        ("a path that goes up", me("GET /api/../api/me HTTP/1.1", "Host: x\r\n"), &[404, 404]),
        ("a path of two slashes", me("GET //api/me HTTP/1.1", "Host: x\r\n"), &[404, 404]),
        ("an escaped slash", me("GET /api%2fme HTTP/1.1", "Host: x\r\n"), &[404, 404]),
        ("a method in small letters", me("get /api/me HTTP/1.1", "Host: x\r\n"), &[405, 404]),
        ("HTTP/2 without a negotiation", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[]),
        ("an upgrade to HTTP/2", me(ME, "Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"), &[401, 404]),
        ("a version of its own", me("GET /api/me HTTP/9.9", "Host: x\r\n"), &[400]),
        ("line feeds alone", b"GET /api/me HTTP/1.1\nHost: x\n\n".to_vec(), &[401, 404]),
    ]
}

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_the_last_one() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let cases: Vec<_> = lengths().into_iter().chain(targets()).collect();
    let answers = cases.iter().map(|(what, request, expected)| {
        let natter = &natter;
        async move {
            let answered = statuses(natter, request).await;
            (answered != *expected).then(|| format!("{what}: {answered:?} and not {expected:?}"))
        }
    });
    let wrong: Vec<_> = futures_util::future::join_all(answers).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    alice.get("/api/me").await.ok(200);
    assert!(natter.metric("natter_panics_total").await < 0.5, "{}", natter.log());
}

/// Requests that are answered before their end, their beginnings.
fn answered_early() -> [(u16, Vec<u8>); 2] {
    let head = format!("{LOG_IN}Content-Length: 9000000\r\n\r\n");
    [
        // What is read of it while it is not answered, and what is read then.
        (413, (head + &"x".repeat(2_400_000)).into_bytes()),
        (431, format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}", "x".repeat(33 * 1024)).into_bytes()),
    ]
}

#[tokio::test]
async fn a_client_that_is_answered_early_is_not_cut_off() {
    let natter = DevServer::start(NATTER, &[("LOG_LEVEL", "warn")]).await;
    for (status, beginning) in answered_early() {
        let mut stream = TcpStream::connect(natter.http.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(&beginning).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(END, stream.read_to_end(&mut answer)).await;
        read.expect("the answer ends").expect("and is not lost");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
        for _ in 0..32 {
            let rest = stream.write_all(&[b'x'; 1024]).await;
            rest.unwrap_or_else(|error| panic!("{status}: the rest is not taken: {error}"));
        }
    }
}

#[tokio::test]
async fn a_body_that_comes_behind_its_answer_is_no_request() {
    let natter = DevServer::start(NATTER, &[("LOG_LEVEL", "warn")]).await;
    for (status, head) in [
        (415, "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n"),
        (401, "POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(natter.http.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(first, format!("HTTP/1.1 {status}").as_bytes());
        stream.write_all(&[vec![b'x'; 40_000], SECOND.as_bytes().to_vec()].concat()).await.unwrap();
        let mut rest = Vec::new();
        let read = tokio::time::timeout(END, stream.read_to_end(&mut rest)).await;
        read.expect("the second is answered").expect("the connection is not reset");
        assert!(
            String::from_utf8_lossy(&rest).contains("HTTP/1.1 404"),
            "{status}: the second has its answer"
        );
    }
}
