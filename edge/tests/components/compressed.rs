//! Which answers are sent compressed, and to whom.

use std::io::Read;

use flate2::read::GzDecoder;
use natter_schemas::{
    event::LogEntry,
    id::{ConversationId, UserId},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{Edge, posted};

struct Answer {
    /// In lowercase.
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn coding(&self) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix("content-encoding: "))
    }
}

/// By HTTP/1.0, where the body has no frames of its own.
async fn get(edge: &Edge, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(edge.address()).await.expect("the edge accepts");
    let request = format!("GET {path} HTTP/1.0\r\nHost: x\r\n{headers}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the edge reads");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("the edge answers");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..end + 4].to_vec()).expect("text").to_lowercase();
    Answer { head, body: bytes.split_off(end + 4) }
}

/// A conversation of this user with as many messages.
fn conversation(edge: &Edge, user: UserId, messages: u64) -> ConversationId {
    let conversation = edge.conversation(&[user]);
    for number in 1..=messages {
        let event = posted(conversation, &format!("message {number} of a page"));
        edge.services.add_to_history(LogEntry { seq: number, event });
    }
    conversation
}

#[tokio::test]
async fn a_page_is_compressed_for_who_accepts_it() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let path = format!("/api/messages?conversationId={}", conversation(&edge, user, 40));
    let token = format!("Authorization: Bearer {}", edge.token(user));
    let plain = get(&edge, &path, &token).await;
    assert_eq!(plain.coding(), None, "{}", plain.head);
    assert!(plain.head.contains("vary: accept-encoding"), "{}", plain.head);
    for refused in ["br", "gzip;q=0", "identity"] {
        let answer = get(&edge, &path, &format!("{token}\r\nAccept-Encoding: {refused}")).await;
        assert_eq!((answer.coding(), answer.body == plain.body), (None, true), "{refused}: {}", answer.head);
    }
    let packed = get(&edge, &path, &format!("{token}\r\nAccept-Encoding: gzip, br")).await;
    assert_eq!(packed.coding(), Some("gzip"), "{}", packed.head);
    assert!(packed.head.contains("vary: accept-encoding"), "{}", packed.head);
    assert!(packed.body.len() * 4 < plain.body.len(), "{} of {}", packed.body.len(), plain.body.len());
    let mut text = String::new();
    GzDecoder::new(&packed.body[..]).read_to_string(&mut text).expect("gzip of text");
    assert_eq!(text.as_bytes(), plain.body);
    let page: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(page["items"].as_array().map(Vec::len), Some(40));
}

#[tokio::test]
async fn small_answers_documents_and_problems_are_plain() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let small = format!("/api/messages?conversationId={}", conversation(&edge, user, 1));
    let gzip = format!("Authorization: Bearer {}\r\nAccept-Encoding: gzip", edge.token(user));
    // The document is large, and has a strong tag of its bytes.
    for path in [&small, "/api/openapi.json", "/api/messages?conversationId=none"] {
        let answer = get(&edge, path, &gzip).await;
        assert_eq!(answer.coding(), None, "{path}: {}", answer.head);
        assert!(!answer.body.is_empty(), "{path}");
    }
}
