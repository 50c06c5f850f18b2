//! Frames of every wrong shape, for every frame of `docs/asyncapi.json`: what its schema does not allow is refused, and the
//! socket stays open.

use jsonschema::Draft;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use natter_testkit::{DevServer, Room, Socket, User};

use crate::{
    NATTER,
    mutants::{broken, mutants, validator},
};

/// The frames that the document shows of this kind, about this room.
fn examples(document: &Value, name: &str, room: &Room, message: u64) -> Vec<Value> {
    let shown = document["components"]["messages"][name]["examples"].as_array().unwrap();
    let here = |example: &Value| {
        let mut frame = example["payload"].clone();
        for (field, value) in frame.as_object_mut().unwrap() {
            *value = match field.as_str() {
                "conversationId" => json!(room.id),
                "positions" => json!({&room.id: 1}),
                "seq" | "replyTo" => json!(message),
                _ => value.take(),
            };
        }
        frame
    };
    shown.iter().map(here).collect()
}

/// What comes before the answer to a ping that follows.
async fn answers(socket: &mut Socket, text: &str) -> Vec<Value> {
    socket.send_raw(Message::text(text.to_owned())).await;
    let ping = socket.request(json!({"type": "ping"})).await;
    let mut heard = Vec::new();
    loop {
        let frame = socket.frame().await;
        if frame["type"] == "pong" && frame["id"] == ping {
            return heard;
        }
        heard.push(frame);
    }
}

#[tokio::test]
async fn frames_of_every_wrong_shape_are_refused_and_the_socket_stays_open() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off"), ("LOG_LEVEL", "warn")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let message = alice.post_message(&room, "hello").await;
    let document: Value = serde_json::from_str(include_str!("../../../docs/asyncapi.json")).unwrap();
    let mut socket = alice.socket("phone").await;
    let (mut wrong, mut sent) = (Vec::new(), 0);
    let names = document["components"]["schemas"].as_object().unwrap().keys();
    for name in names.filter(|name| name.starts_with("client.")) {
        let schema = json!({"$ref": format!("#/components/schemas/{name}")});
        let schema = validator(&schema, &document, Draft::Draft7);
        for example in examples(&document, name, &room, message) {
            assert!(schema.is_valid(&example), "{name}: {example}");
            let shapes = mutants(&example).into_iter().filter(|(_, frame)| !schema.is_valid(frame));
            let texts = broken(&example)
                .into_iter()
                .filter_map(|(what, bytes)| Some((what, String::from_utf8(bytes).ok()?)));
            let texts = texts.map(|(what, text)| (what.to_owned(), text));
            for (what, text) in shapes.map(|(what, frame)| (what, frame.to_string())).chain(texts) {
                let heard = answers(&mut socket, &text).await;
                let codes: Vec<_> =
                    heard.iter().map(|frame| frame["code"].as_str().unwrap_or("none")).collect();
                if codes != ["invalid"] && codes != ["malformed"] {
                    wrong.push(format!("{name} {what}: {heard:?}"));
                }
                sent += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(sent > 1_000, "{sent} frames");
    let history = bob.history(&room).await;
    assert_eq!(history.len(), 1, "something of it was stored: {history:?}");
}

#[tokio::test]
async fn no_wrong_shape_in_the_place_of_hello_is_welcomed() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off"), ("LOG_LEVEL", "warn")]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let document: Value = serde_json::from_str(include_str!("../../../docs/asyncapi.json")).unwrap();
    let schema = json!({"$ref": "#/components/schemas/client.hello"});
    let schema = validator(&schema, &document, Draft::Draft7);
    let hello = json!({
        "type": "hello", "token": alice.token, "deviceId": "d", "id": 1,
        "resume": {"epoch": "e", "positions": {"01890000-0000-7000-8000-000000000000": 1}}
    });
    assert!(schema.is_valid(&hello));
    let shapes = mutants(&hello).into_iter().filter(|(_, frame)| !schema.is_valid(frame));
    for (what, frame) in shapes {
        let mut socket = Socket::open(&natter.http).await;
        socket.send_frame(&frame).await;
        let answer = socket.frame().await;
        let code = answer["code"].as_str().unwrap_or_default();
        assert!(["invalid", "malformed", "unauthenticated"].contains(&code), "{what}: {answer}");
    }
    alice.socket("phone").await.ping().await;
}
