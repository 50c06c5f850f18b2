//! Frames that mean no good.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use natter_testkit::{DevServer, Received, Room, Socket, User, upgrade};

use crate::NATTER;

const KIB: usize = 1024;

fn raw(bytes: &[u8], code: OpCode, last: bool) -> Message {
    Message::Frame(Frame::message(bytes.to_vec(), code, last))
}

/// What comes in answer: error codes, then the close code.
async fn answers(socket: &mut Socket, message: Message) -> (Vec<String>, u16) {
    // The server may close before it has read all of it.
    let _ = socket.try_send(message).await;
    let mut codes = Vec::new();
    loop {
        match socket.next().await {
            Received::Frame(frame) => codes.push(frame["code"].as_str().unwrap_or_default().to_owned()),
            Received::Closed(code) => return (codes, code),
        }
    }
}

#[tokio::test]
async fn what_is_not_the_protocol_closes_the_socket_with_its_code() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let hello = json!({"type": "hello", "token": alice.token}).to_string();
    let big = "x".repeat(65 * KIB);
    for (what, message, expected) in [
        ("binary", Message::binary(b"{}".to_vec()), (vec!["malformed"], 4501)),
        ("65 KiB", Message::text(big.clone()), (vec![], 1009)),
        ("not UTF-8", raw(b"{\"type\":\"ping\xff\"}", OpCode::Data(Data::Text), true), (vec![], 4501)),
        ("a second hello", Message::text(hello.clone()), (vec![], 4501)),
        ("a reserved opcode", raw(b"x", OpCode::Data(Data::Reserved(3)), true), (vec![], 4501)),
        ("a part of nothing", raw(b"x", OpCode::Data(Data::Continue), true), (vec![], 4501)),
    ] {
        let mut socket = alice.socket("phone").await;
        let heard = answers(&mut socket, message).await;
        assert_eq!((heard.0.iter().map(String::as_str).collect(), heard.1), expected, "{what}");
    }
    // In parts, too.
    let mut socket = alice.socket("phone").await;
    socket.send_raw(raw(&big.as_bytes()[..40 * KIB], OpCode::Data(Data::Text), false)).await;
    let part = raw(&big.as_bytes()[..40 * KIB], OpCode::Data(Data::Continue), true);
    assert_eq!(answers(&mut socket, part).await, (vec![], 1009));
}

#[tokio::test]
async fn before_hello_no_other_frame_is_accepted() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let bad = format!("{}x", alice.token);
    for (what, message, expected) in [
        ("ping", Message::text(r#"{"type":"ping"}"#), ("unauthenticated", 4001)),
        ("resume", Message::text(r#"{"type":"resume","positions":{}}"#), ("unauthenticated", 4001)),
        (
            "bad token",
            Message::text(json!({"type": "hello", "token": bad}).to_string()),
            ("unauthenticated", 4001),
        ),
        ("no token", Message::text(r#"{"type":"hello","token":""}"#), ("unauthenticated", 4001)),
        ("binary", Message::binary(b"{}".to_vec()), ("malformed", 4501)),
    ] {
        let mut socket = Socket::open(&natter.http).await;
        let (codes, closed) = answers(&mut socket, message).await;
        assert_eq!((codes.as_slice(), closed), ([expected.0.to_owned()].as_slice(), expected.1), "{what}");
    }
    let mut socket = Socket::open(&natter.http).await;
    let big = Message::text("x".repeat(65 * KIB));
    assert_eq!(answers(&mut socket, big).await, (vec![], 1009));
}

#[tokio::test]
async fn an_upgrade_needs_the_subprotocol_and_an_origin_that_is_welcome() {
    let natter = DevServer::start(NATTER, &[("CORS_ORIGINS", "https://chat.example")]).await;
    let protocol = ("Sec-WebSocket-Protocol", "natter.v1");
    let own = natter.http.clone();
    for (headers, expected) in [
        (vec![protocol], None),
        (vec![], None),
        (vec![("Sec-WebSocket-Protocol", "soap, natter.v1")], None),
        (vec![("Sec-WebSocket-Protocol", "natter.v2")], Some(400)),
        (vec![("Sec-WebSocket-Version", "12")], Some(400)),
        (vec![protocol, ("Origin", "https://chat.example")], None),
        (vec![protocol, ("Origin", own.as_str())], None),
        (vec![protocol, ("Origin", "https://evil.example")], Some(403)),
        (vec![protocol, ("Origin", "https://chat.example.evil.example")], Some(403)),
        (vec![protocol, ("Origin", "null")], Some(403)),
    ] {
        // tungstenite insists on an answer to what it offered; without a header it offers nothing.
        let answer = upgrade(&natter.http, &headers).await;
        assert_eq!(answer.err(), expected, "{headers:?}");
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.get(format!("{}/ws", natter.http)).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn hostile_json_is_refused_and_the_socket_stays_open() {
    let natter = DevServer::start(NATTER, &[]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut socket = alice.socket("phone").await;
    for (text, codes) in hostile(&room) {
        socket.send_raw(Message::text(text.clone())).await;
        let answer = socket.frame().await;
        assert_eq!(answer["type"], "error", "{text:.100}: {answer}");
        assert!(codes.contains(&answer["code"].as_str().unwrap()), "{text:.100}: {answer}");
        assert!(answer.to_string().len() < 1_000, "{text:.100}: echoed at length");
    }
    socket.ping().await;
    assert!(alice.history(&room).await.is_empty());
}

fn hostile(room: &Room) -> Vec<(String, &'static [&'static str])> {
    const MALFORMED: &[&str] = &["malformed"];
    const INVALID: &[&str] = &["invalid"];
    const EITHER: &[&str] = &["malformed", "invalid"];
    const UNKNOWN: &[&str] = &["not_found", "invalid"];
    let say = |extra: Value| {
        let mut frame = json!({"type": "send", "conversationId": room.id, "content": "x", "clientId": "c"});
        frame.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        frame.to_string()
    };
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let positions: serde_json::Map<String, Value> =
        (0..1_001).map(|n| (format!("0190b5a0-7a5e-7abc-8def-{n:012}"), json!(1))).collect();
    vec![
        (deep(30_000), MALFORMED),
        ("{\"a\":".repeat(10_000), MALFORMED),
        (format!(r#"{{"type":"ping","x":{}}}"#, deep(20_000)), EITHER),
        (json!({"type": "resume", "positions": positions}).to_string(), INVALID),
        (json!({"type": "resume", "positions": {&room.id: -1}}).to_string(), INVALID),
        (json!({"type": "resume", "positions": {&room.id: 1.5}}).to_string(), INVALID),
        (json!({"type": "resume", "positions": {"*": 1}}).to_string(), INVALID),
        (json!({"type": "resume", "positions": []}).to_string(), INVALID),
        (r#"{"type":"ping","id":{"a":1}}"#.to_owned(), EITHER),
        (r#"{"type":"ping","id":1e400}"#.to_owned(), EITHER),
        (r#"{"type":"ping","id":99999999999999999999}"#.to_owned(), EITHER),
        (json!({"type": "ping", "id": "x".repeat(60_000)}).to_string(), INVALID),
        (json!({"type": "ping", "id": "line\nbreak\u{0}"}).to_string(), INVALID),
        (r#"{"type":"ping","id":1,"id":2}"#.to_owned(), EITHER),
        (r#"{"type":"ping","type":"send"}"#.to_owned(), EITHER),
        (say(json!({"conversationId": "../../etc"})), INVALID),
        (say(json!({"conversationId": ">"})), INVALID),
        (say(json!({"conversationId": room.id.to_uppercase() + " "})), INVALID),
        (say(json!({"conversationId": "0190b5a0-7a5e-7abc-8def-0123456789ab"})), UNKNOWN),
        (say(json!({"clientId": "a\r\nNats-Msg-Id: b"})), INVALID),
        (say(json!({"clientId": "ü"})), INVALID),
        (say(json!({"clientId": "x".repeat(65)})), INVALID),
        (say(json!({"content": " \n\t\u{3000}"})), INVALID),
        (say(json!({"content": "x".repeat(8193)})), INVALID),
        (say(json!({"content": "ü".repeat(4097)})), INVALID),
        (say(json!({"content": null})), INVALID),
        (say(json!({"replyTo": u64::MAX})), INVALID),
        (say(json!({"replyTo": 999_999})), INVALID),
        (
            json!({"type": "edit", "conversationId": room.id, "seq": u64::MAX, "content": "x"}).to_string(),
            UNKNOWN,
        ),
        (json!({"type": "delete", "conversationId": room.id, "seq": 0}).to_string(), UNKNOWN),
        (
            json!({"type": "react", "conversationId": room.id, "seq": 1, "emoji": "", "on": true})
                .to_string(),
            INVALID,
        ),
        (r#"{"type":"ping"}{"type":"ping"}"#.to_owned(), MALFORMED),
        ("\u{feff}{\"type\":\"ping\"}".to_owned(), MALFORMED),
        ("NaN".to_owned(), MALFORMED),
        (r#"{"type":"ping","id":"\ud800"}"#.to_owned(), MALFORMED),
    ]
}

#[tokio::test]
async fn a_hello_with_too_much_in_it_is_refused_and_may_be_said_again() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let mut socket = Socket::open(&natter.http).await;
    let positions: serde_json::Map<String, Value> =
        (0..1_001).map(|n| (format!("0190b5a0-7a5e-7abc-8def-{n:012}"), json!(1))).collect();
    for bad in [
        json!({"type": "hello", "token": alice.token, "resume": {"epoch": "e", "positions": positions}}),
        json!({"type": "hello", "token": alice.token, "resume": {"positions": {}}}),
        json!({"type": "hello", "token": alice.token, "deviceId": "a b"}),
        json!({"type": "hello", "token": alice.token, "deviceId": "x".repeat(65)}),
        json!({"type": "hello", "token": alice.token, "deviceId": ""}),
        json!({"type": "hello", "token": 7}),
        json!({"type": "hello"}),
    ] {
        socket.send_frame(&bad).await;
        let answer = socket.frame().await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("invalid")), "{answer}");
    }
    socket.send_frame(&json!({"type": "hello", "token": alice.token, "deviceId": ".>*-_/\\'\"<"})).await;
    assert_eq!(socket.frame().await["type"], "welcome");
}
