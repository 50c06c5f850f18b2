//! Frames and paths that mean no good are refused, and the socket stays open.

use serde_json::{Value, json};

use crate::shared;
use natter_testkit::Device;

const BAD_IDS: [&str; 9] = [
    "",
    "0",
    "not-an-id",
    "..%2f..%2fetc%2fpasswd",
    "01890000-0000-7000-8000-00000000000",
    "01890000-0000-7000-8000-0000000000000",
    "01890000000070008000000000000000",
    "01890000-0000-7000-8000-00000000000G",
    "%00",
];

async fn refused(device: &mut Device, frame: Value, code: &str) {
    let answer = device.call(frame.clone()).await;
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{frame}: {answer}");
}

#[tokio::test]
async fn ids_that_are_none_name_nothing() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let said = alice.post_message(&room, "hello").await;
    let mut device = bob.device("d").await;
    for id in BAD_IDS {
        for path in [
            format!("/api/conversations/{id}"),
            format!("/api/users/{id}"),
            format!("/api/presence/status/{id}"),
        ] {
            let answer = alice.get(&path).await;
            // An empty id is the collection's address, or none.
            assert!(answer.status == 404 || id.is_empty(), "{path}: {answer:?}");
        }
        let messages = alice.get(&format!("/api/messages?conversationId={id}")).await;
        assert_eq!(messages.code(), (422, "invalid"), "{id}");
        let answer = alice.delete(&room.path(&format!("/participants/{id}"))).await;
        assert!([404, 405].contains(&answer.status), "{id}: {answer:?}");
        let body = json!({"conversationId": id, "content": "x"});
        assert_eq!(alice.post("/api/messages", &body).await.code(), (422, "invalid"), "{id}");
        for (kind, fields) in [
            ("send", json!({"content": "x", "clientId": "c"})),
            ("edit", json!({"seq": said, "content": "x"})),
            ("delete", json!({"seq": said})),
            ("react", json!({"seq": said, "emoji": "👍", "on": true})),
            ("join", json!({})),
            ("leave", json!({})),
            ("read", json!({"seq": said})),
        ] {
            let mut frame = room.frame(kind, &fields);
            frame["conversationId"] = json!(id);
            refused(&mut device, frame, "invalid").await;
        }
    }
    for seq in ["0", "-1", "1.5", "18446744073709551615", "99999999999999999999", "x", "%20"] {
        let answer = alice.delete(&room.path(&format!("/messages/{seq}"))).await;
        assert_eq!(answer.code(), (404, "not_found"), "{seq}");
    }
    for seq in [json!(-1), json!(1.5), json!("1"), Value::Null, json!(1e300)] {
        refused(&mut device, room.frame("delete", &json!({"seq": seq})), "invalid").await;
        refused(&mut device, room.frame("read", &json!({"seq": seq})), "invalid").await;
    }
    for seq in [0, u64::MAX] {
        refused(&mut device, room.frame("delete", &json!({"seq": seq})), "not_found").await;
    }
    device.ping().await;
}

#[tokio::test]
async fn a_number_without_digits_is_refused_and_an_empty_cursor_is_none() {
    let cluster = shared().await;
    let alice = cluster.user(0, "alice").await;
    let room = alice.group(&[&cluster.user(1, "bob").await]).await;
    let messages = format!("/api/messages?conversationId={}", room.id);
    for path in [
        "/api/conversations?limit=",
        "/api/blocks?limit=&cursor=",
        "/api/users?query=al&limit=",
        &format!("{messages}&before="),
        &format!("{messages}&after="),
    ] {
        assert_eq!(alice.get(path).await.code(), (422, "invalid"), "{path}");
    }
    let first = alice.get("/api/conversations").await.ok(200);
    assert_eq!(alice.get("/api/conversations?cursor=").await.ok(200), first);
}

#[tokio::test]
async fn a_reaction_is_one_emoji() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let said = alice.post_message(&room, "hello").await;
    let mut device = bob.device("d").await;
    let family = "👩‍👩‍👧‍👦";
    for emoji in ["👍", "❤️", family, "🇩🇪", "1️⃣"] {
        for on in [true, false] {
            let frame = room.frame("react", &json!({"seq": said, "emoji": emoji, "on": on}));
            device.call_acked(frame).await;
        }
    }
    let zalgo = format!("👍{}", "\u{0301}".repeat(100));
    for words in ["", " ", "a", "yes", "👍👍", "👍 ", "<b>", "\u{0}", "\u{200D}", "é", &zalgo] {
        let frame = room.frame("react", &json!({"seq": said, "emoji": words, "on": true}));
        refused(&mut device, frame, "invalid").await;
    }
    for path in ["yes", "%20", "%F0%9F%91%8D%F0%9F%91%8D", "%3Cb%3E", "%E2%80%8D"] {
        let answer = alice.put(&room.path(&format!("/messages/{said}/reactions/{path}"))).await;
        assert_eq!(answer.code(), (422, "invalid"), "{path}");
    }
    assert_eq!(alice.history(&room).await[0]["reactions"], json!([]));
}

#[tokio::test]
async fn a_socket_that_joins_ten_thousand_rooms_gets_two_hundred_and_stays_open() {
    const MANY: usize = 10_000;
    const ROOMS: usize = 220;
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(alice.group(&[&bob]).await);
    }
    let mut device = alice.at(1).device("d").await;
    let mut asked = Vec::new();
    for room in &rooms {
        asked.push(device.request(room.frame("join", &json!({}))).await);
    }
    let mut joined = 0;
    for id in asked {
        let answer = device.answer(id).await;
        match answer["type"].as_str().unwrap() {
            "joined" => joined += 1,
            _ => assert_eq!(answer["code"], "conflict", "{answer}"),
        }
    }
    assert_eq!(joined, 200);
    // Those that do not exist.
    for number in 0..MANY - ROOMS {
        let id = format!("01890000-0000-7000-8000-{number:012x}");
        device.request(json!({"type": "join", "conversationId": id})).await;
    }
    let refused = |frames: &[Value]| frames.iter().filter(|frame| frame["type"] == "error").count();
    device.wait_for("all are refused", |frames| (refused(frames) == MANY - 200).then_some(())).await;
    // Who leaves one may join another.
    device.call_acked(rooms[0].frame("leave", &json!({}))).await;
    device.join(&rooms[ROOMS - 1]).await;
    device.post(&rooms[0], "and messages flow without").await;
}

#[tokio::test]
async fn a_join_that_is_left_at_once_is_left() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut viewer, mut typist) = (bob.device("viewer").await, alice.device("typist").await);
    for round in 1..=30 {
        let join = room.frame("join", &json!({"id": format!("j{round}")}));
        viewer.send_frames(&[join, room.frame("leave", &json!({"id": format!("l{round}")}))]).await;
        for (id, kind) in [(format!("j{round}"), "joined"), (format!("l{round}"), "ack")] {
            let answer = viewer.wait_for_frame("an answer", |frame| frame["id"] == id).await;
            assert_eq!(answer["type"], kind, "{answer}");
        }
        viewer.set_typing(&room, true).await;
        let left = |frames: &[Value]| frames.iter().filter(|f| f["code"] == "forbidden").count() == round;
        viewer.wait_for("an error: it left", |frames| left(frames).then_some(())).await;
    }
    typist.join(&room).await;
    typist.set_typing(&room, true).await;
    let said = typist.post(&room, "done").await;
    viewer.wait_for_seq(&room, said).await;
    viewer.ping().await;
    assert!(viewer.frames_of("typing").is_empty(), "it still gets typing");
}
