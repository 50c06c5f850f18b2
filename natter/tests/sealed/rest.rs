//! Nothing that is written is on a disk in clear, and everything that is shown is.

use std::{fs, path::Path};

use natter_testkit::{Cluster, Device, Room, User, seq, until};
use serde_json::{Value, json};

use crate::{NATTER, SEALED};

/// In no other word of these tests.
const MARK: &str = "zugvogel";

/// The files below a folder that have these bytes.
pub fn files_with(folder: &Path, bytes: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else if let Ok(content) = fs::read(&path)
            && content.windows(bytes.len()).any(|window| window == bytes.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

async fn content_of(user: &User, room: &Room, seq: u64) -> Value {
    let message = user.get(&room.path(&format!("/messages/{seq}"))).await.ok(200);
    assert!(message.get("unreadable").is_none(), "{message}");
    message["content"].clone()
}

fn contents(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["content"].as_str().unwrap_or("null")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_everywhere_is_nowhere_on_disk() {
    let cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut sender, mut reader) = (alice.device("a").await, bob.device("b").await);

    // Live, by socket and by HTTP, through the other edge.
    let first = sender.post(&room, "zugvogel one").await;
    let body = json!({"conversationId": room.id, "content": "zugvogel two", "replyTo": first});
    let posted = alice.post("/api/messages", &body).await.ok(201);
    assert_eq!(posted["content"], "zugvogel two");
    let third = reader.post(&room, "zugvogel three").await;
    let edit = json!({"content": "zugvogel four"});
    let edited = alice.patch(&room.path(&format!("/messages/{first}")), &edit).await.ok(200);
    assert_eq!(edited["content"], "zugvogel four");
    let last = sender.post(&room, "zugvogel five").await;
    reader.wait_for_seq(&room, last).await;
    assert_eq!(shown(&reader), ["one", "two", "three", "four", "five"]);

    // Pages, single messages, lists, the inbox and a resume, on both edges.
    let expected = ["zugvogel four", "zugvogel two", "zugvogel three", "zugvogel five"];
    for user in [&alice, &bob.at(0), &bob] {
        assert_eq!(contents(&user.history(&room).await), expected);
        assert_eq!(content_of(user, &room, first).await, "zugvogel four");
        assert_eq!(user.conversation(&room).await["lastMessage"]["content"], "zugvogel five");
        let list = user.get("/api/conversations").await.ok(200);
        assert_eq!(list["items"][0]["lastMessage"]["content"], "zugvogel five");
    }
    let inbox = bob.get("/api/inbox").await.ok(200);
    assert_eq!(inbox["items"][0]["lastMessage"]["content"], "zugvogel five");
    let resumed = bob.at(0).resume("b2", &reader.epoch(), &json!({&room.id: room.head})).await;
    assert_eq!(shown(&resumed), ["one", "two", "three", "four", "five"]);

    // From the store as well as from the log.
    until("all is persisted", async || cluster.persisted() == 4).await;
    assert_eq!(contents(&bob.history(&room).await), expected);
    alice.delete(&room.path(&format!("/messages/{third}"))).await.ok(204);
    assert_eq!(contents(&alice.history(&room).await)[2], "null");

    let folder = cluster.database();
    let folder = folder.parent().unwrap();
    assert!(!files_with(folder, &alice.name).is_empty(), "what is looked for would be found");
    assert_eq!(files_with(folder, MARK), Vec::<String>::new());
}

/// The numbers of the texts that came, in the order in which they came.
fn shown(device: &Device) -> Vec<String> {
    let text = |frame: &Value| match frame["type"].as_str() {
        Some("message:new") => Some(frame["message"]["content"].clone()),
        Some("message:edited") => Some(frame["content"].clone()),
        _ => None,
    };
    let texts = device.frames().iter().filter_map(text).collect::<Vec<_>>();
    texts.iter().map(|text| text.as_str().unwrap().replace("zugvogel ", "")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_told_from_another_text_under_its_name() {
    let cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut devices = [alice.device("a").await, alice.at(1).device("a").await];
    let sent = devices[0].call_acked(room.message_frame("c-1", "the text")).await;
    for device in &mut devices {
        let again = device.call_acked(room.message_frame("c-1", "the text")).await;
        assert_eq!((seq(&again), &again["duplicate"]), (seq(&sent), &json!(true)));
        let other = device.call(room.message_frame("c-1", "another text")).await;
        assert_eq!(other["code"], "idempotency_mismatch", "{other}");
    }
    let kept = alice.post_once("key", &room.id, "once").await.ok(201);
    for edge in [0, 1] {
        let again = alice.at(edge).post_once("key", &room.id, "once").await.ok(201);
        assert_eq!((seq(&again), &again["content"]), (seq(&kept), &json!("once")));
        let other = alice.at(edge).post_once("key", &room.id, "twice").await;
        assert_eq!(other.code(), (422, "idempotency_mismatch"));
    }
    assert_eq!(contents(&bob.history(&room).await), ["the text", "once"]);
}
