//! Edits, deletions, replies and reactions are ordered events; live traffic, history and replay agree.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::shared;
use natter_testkit::{Device, Room, User, chain, kind, seq};

const THUMB: &str = "👍";

/// Content, whether deleted, and who reacted with what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shape {
    content: Option<String>,
    reply_to: Option<u64>,
    edited: bool,
    deleted: bool,
    reactions: BTreeMap<String, Vec<String>>,
}

type Shapes = BTreeMap<u64, Shape>;

/// What a client makes of the events it got.
fn fold(events: &[Value]) -> Shapes {
    let mut shapes = Shapes::new();
    for event in events {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if kind(event) == "message:new" {
            let message = &event["message"];
            let (content, reply_to) = (text(&message["content"]), message["replyTo"].as_u64());
            shapes.insert(seq(message), Shape { content, reply_to, ..Shape::default() });
            continue;
        }
        let shape = event["target"].as_u64().and_then(|target| shapes.get_mut(&target));
        let Some(shape) = shape.filter(|shape| !shape.deleted) else { continue };
        match kind(event) {
            "message:edited" => {
                shape.content = text(&event["content"]);
                shape.edited = true;
            }
            "message:deleted" => {
                *shape = Shape { deleted: true, reply_to: shape.reply_to, ..Shape::default() }
            }
            "reaction:changed" => react(shape, event),
            other => panic!("{other} has a target"),
        }
    }
    shapes
}

fn react(shape: &mut Shape, event: &Value) {
    let (emoji, user) = (event["emoji"].as_str().unwrap(), event["userId"].as_str().unwrap());
    let users = shape.reactions.entry(emoji.to_owned()).or_default();
    users.retain(|other| other != user);
    if event["on"] == true {
        users.push(user.to_owned());
    }
    users.sort();
    shape.reactions.retain(|_, users| !users.is_empty());
}

/// What history says.
async fn shapes(user: &User, room: &Room) -> Shapes {
    let shape = |message: &Value| {
        let reactions = message["reactions"].as_array().unwrap().iter().map(|reaction| {
            let users = reaction["userIds"].as_array().unwrap();
            assert_eq!(reaction["count"], users.len());
            let mut users: Vec<String> = users.iter().map(|user| user.as_str().unwrap().to_owned()).collect();
            users.sort();
            (reaction["emoji"].as_str().unwrap().to_owned(), users)
        });
        let shape = Shape {
            content: message["content"].as_str().map(str::to_owned),
            reply_to: message["replyTo"].as_u64(),
            edited: message["editedAt"].is_string(),
            deleted: message["deletedAt"].is_string(),
            reactions: reactions.collect(),
        };
        (seq(message), shape)
    };
    user.history(room).await.iter().map(shape).collect()
}

/// Both edges' history, both devices' live traffic and a replay from the beginning: all the same.
async fn agree(user: &User, room: &Room, devices: &[Device]) -> Shapes {
    let head = user.conversation(room).await["headSeq"].as_u64().unwrap();
    let history = shapes(&user.at(0), room).await;
    assert_eq!(shapes(&user.at(1), room).await, history, "the edges' histories");
    for device in devices {
        device.wait_for_seq(room, head).await;
        assert_eq!(fold(&chain(&device.frames(), room, room.head)), history, "live traffic");
    }
    for edge in [0, 1] {
        let positions = json!({room.id.clone(): room.head});
        let replay = user.at(edge).resume("replay", &devices[0].epoch(), &positions).await;
        let live = without_deleted(chain(&devices[0].frames(), room, room.head));
        assert_eq!(chain(&replay.frames(), room, room.head), live);
    }
    history
}

/// As a replay has it: what is deleted by now is without its content.
fn without_deleted(mut events: Vec<Value>) -> Vec<Value> {
    let mut deleted = BTreeMap::new();
    for event in events.iter().filter(|event| kind(event) == "message:deleted") {
        deleted.entry(event["target"].as_u64()).or_insert(event["at"].clone());
    }
    for event in &mut events {
        match kind(event) {
            "message:new" if deleted.contains_key(&event["seq"].as_u64()) => {
                event["message"]["deletedAt"] = deleted[&event["seq"].as_u64()].clone();
                event["message"]["content"] = Value::Null;
            }
            "message:edited" if deleted.contains_key(&event["target"].as_u64()) => {
                event["content"] = Value::Null;
            }
            _ => {}
        }
    }
    events
}

fn edit(room: &Room, seq: u64, content: &str) -> Value {
    room.frame("edit", &json!({"seq": seq, "content": content}))
}

fn delete(room: &Room, seq: u64) -> Value {
    room.frame("delete", &json!({"seq": seq}))
}

fn reaction(room: &Room, seq: u64, on: bool) -> Value {
    room.frame("react", &json!({"seq": seq, "emoji": THUMB, "on": on}))
}

#[tokio::test]
async fn what_happens_to_messages_is_the_same_live_in_history_and_in_a_replay() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut devices = [alice.device("a").await, bob.device("b").await];
    let first = devices[0].post(&room, "frist").await;
    let body = json!({"content": "an answer", "clientId": "reply", "replyTo": first});
    let reply = seq(&devices[1].call_acked(room.frame("send", &body)).await);
    devices[0].call_acked(edit(&room, first, "first")).await;
    devices[1].call_acked(reaction(&room, first, true)).await;
    devices[0].call_acked(reaction(&room, first, true)).await;
    devices[1].call_acked(reaction(&room, first, false)).await;
    devices[1].call_acked(delete(&room, reply)).await;
    // Over HTTP the same.
    let (path, other) = (room.path(&format!("/messages/{first}")), alice.at(1));
    let edited = other.patch(&path, &json!({"content": "First."})).await.ok(200);
    assert_eq!((&edited["content"], &edited["seq"]), (&json!("First."), &json!(first)));
    bob.put(&format!("{path}/reactions/%E2%9C%85")).await.ok(204);
    other.delete(&format!("{path}/reactions/%F0%9F%91%8D")).await.ok(204);

    let shapes = agree(&alice, &room, &devices).await;
    let expected = Shape {
        content: Some("First.".to_owned()),
        edited: true,
        reactions: BTreeMap::from([("✅".to_owned(), vec![bob.id.clone()])]),
        ..Shape::default()
    };
    assert_eq!(shapes[&first], expected);
    assert_eq!(shapes[&reply], Shape { deleted: true, reply_to: Some(first), ..Shape::default() });
    // A deleted message takes no more changes.
    for frame in [edit(&room, reply, "x"), reaction(&room, reply, true)] {
        assert_eq!(devices[1].call(frame).await["code"], "conflict");
    }
    let path = room.path(&format!("/messages/{reply}"));
    assert_eq!(bob.patch(&path, &json!({"content": "x"})).await.code(), (409, "conflict"));
    // It is deleted once, however often that is asked for.
    let head = alice.conversation(&room).await["headSeq"].clone();
    bob.delete(&path).await.ok(204);
    let again = devices[1].call_acked(delete(&room, reply)).await;
    assert_eq!(again["duplicate"], true);
    assert_eq!(alice.conversation(&room).await["headSeq"], head);
}

/// The log, as a device got it, has nothing of a message after its deletion.
fn nothing_follows_a_deletion(events: &[Value]) {
    let mut deleted = Vec::new();
    for event in events.iter().filter(|event| event["target"].is_u64()) {
        assert!(!deleted.contains(&seq_of_target(event)), "behind the deletion: {event}");
        if kind(event) == "message:deleted" {
            deleted.push(seq_of_target(event));
        }
    }
}

fn seq_of_target(event: &Value) -> u64 {
    event["target"].as_u64().unwrap()
}

#[tokio::test]
async fn edits_of_one_message_from_both_edges_at_once_converge() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut devices = [alice.device("near").await, alice.at(1).device("far").await, bob.device("b").await];
    let target = devices[0].post(&room, "original").await;
    let mut newest = (0, String::new());
    for round in 0..20 {
        let [near, far, _] = &mut devices;
        let texts = [format!("near {round}"), format!("far {round}")];
        let (one, other) = tokio::join!(
            near.call_acked(edit(&room, target, &texts[0])),
            far.call_acked(edit(&room, target, &texts[1]))
        );
        newest = newest.max((seq(&one), texts[0].clone())).max((seq(&other), texts[1].clone()));
    }
    let shapes = agree(&alice, &room, &devices).await;
    assert_eq!(shapes[&target].content, Some(newest.1));
}

#[tokio::test]
async fn a_deletion_that_races_with_edits_and_reactions_wins_everywhere() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut devices = [alice.device("near").await, alice.at(1).device("far").await, bob.device("b").await];
    let mut targets = Vec::new();
    for number in 0..30 {
        targets.push(devices[0].post(&room, &number.to_string()).await);
    }
    for target in &targets {
        let [near, far, third] = &mut devices;
        let (edited, deleted, reacted) = tokio::join!(
            near.call(edit(&room, *target, "edited")),
            far.call(delete(&room, *target)),
            third.call(reaction(&room, *target, true)),
        );
        assert_eq!(deleted["type"], "ack", "{deleted}");
        for late in [edited, reacted] {
            assert!(late["type"] == "ack" || late["code"] == "conflict", "{late}");
        }
    }
    let shapes = agree(&alice, &room, &devices).await;
    nothing_follows_a_deletion(&chain(&devices[2].frames(), &room, room.head));
    for target in &targets {
        assert_eq!(shapes[target], Shape { deleted: true, ..Shape::default() });
    }
}

#[tokio::test]
async fn reactions_of_many_at_once_are_counted_once_each() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut devices = [alice.device("a").await, bob.device("b").await];
    let target = devices[0].post(&room, "like me").await;
    for round in 0..10 {
        let [one, other] = &mut devices;
        let on = round % 2 == 0;
        tokio::join!(
            one.call_acked(reaction(&room, target, on)),
            other.call_acked(reaction(&room, target, true))
        );
    }
    let shapes = agree(&bob, &room, &devices).await;
    assert_eq!(shapes[&target].reactions, BTreeMap::from([(THUMB.to_owned(), vec![bob.id.clone()])]));
}

/// 21 emoji, one of them in its short spelling.
const EMOJI: &str = "❤ 👎 🎉 🙈 🙉 🙊 👻 ✅ 🍏 🍎 🍐 🍊 🍋 🍌 🍉 🍇 🍓 🫐 🍈 🍒 🥝";

#[tokio::test]
async fn a_message_has_twenty_reactions_and_ten_of_one_user() {
    let cluster = shared().await;
    let (alice, bob, carl) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(1, "carl").await);
    let room = alice.group(&[&bob, &carl]).await;
    let target = alice.post_message(&room, "react").await;
    let emoji: Vec<&str> = EMOJI.split(' ').collect();
    let path = |emoji: &str| room.path(&format!("/messages/{target}/reactions/{emoji}"));
    for emoji in &emoji[..10] {
        alice.put(&path(emoji)).await.ok(204);
    }
    assert_eq!(alice.put(&path(emoji[10])).await.code(), (409, "conflict"));
    for emoji in &emoji[10..20] {
        bob.put(&path(emoji)).await.ok(204);
    }
    assert_eq!(carl.put(&path(emoji[20])).await.code(), (409, "conflict"));
    for text in ["👍\u{301}", "party", "%00", "👍👍"] {
        assert_eq!(carl.put(&path(text)).await.code(), (422, "invalid"), "{text}");
    }

    // What is set already, in either spelling, and what is not set write nothing.
    let head = carl.conversation(&room).await["headSeq"].clone();
    alice.put(&path("❤️")).await.ok(204);
    alice.put(&path("❤")).await.ok(204);
    carl.delete(&path("❤")).await.ok(204);
    carl.delete(&path(emoji[20])).await.ok(204);
    let mut device = carl.device("phone").await;
    let ack = device.call_acked(reaction(&room, target, false)).await;
    assert_eq!((&ack["seq"], &ack["duplicate"]), (&Value::Null, &json!(true)));
    assert_eq!(carl.conversation(&room).await["headSeq"], head);

    carl.put(&path("❤️")).await.ok(204);
    let shown = &carl.history(&room).await[0]["reactions"];
    assert_eq!(shown.as_array().unwrap().len(), 20);
    let both = json!([alice.id, carl.id]);
    assert_eq!(shown[0], json!({"emoji": "❤️", "count": 2, "me": true, "userIds": both}));
    assert_eq!(shown[1], json!({"emoji": "👎", "count": 1, "me": false, "userIds": [alice.id]}));
    let first = bob.get(&format!("{}?limit=1", path("❤"))).await.ok(200);
    assert_eq!(
        (&first["count"], &first["me"], &first["userIds"]),
        (&json!(2), &json!(false), &json!([alice.id]))
    );
    let next = format!("{}?limit=1&cursor={}", path("❤️"), first["nextCursor"].as_str().unwrap());
    let second = bob.get(&next).await.ok(200);
    assert_eq!((&second["userIds"], &second["nextCursor"]), (&json!([carl.id]), &Value::Null));
    let eve = cluster.user(0, "eve").await;
    assert_eq!(eve.get(&path("❤")).await.code(), (404, "not_found"));
}

#[tokio::test]
async fn reactions_at_once_make_no_message_larger_than_its_bound() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let target = alice.post_message(&room, "react").await;
    let emoji: Vec<&str> = EMOJI.split(' ').collect();
    let set = async |user: &User, emoji: &[&str]| {
        let puts = emoji.iter().map(|emoji| {
            let path = room.path(&format!("/messages/{target}/reactions/{emoji}"));
            async move { user.put(&path).await.status }
        });
        futures_util::future::join_all(puts).await
    };
    let (of_alice, of_bob) = tokio::join!(set(&alice, &emoji), set(&bob, &emoji));
    assert!(of_alice.iter().chain(&of_bob).all(|status| [204, 409, 429].contains(status)), "{of_alice:?}");
    for user in [&alice, &bob] {
        let message = &user.history(&room).await[0];
        assert!(message["reactions"].as_array().unwrap().len() <= 20);
        assert_eq!(user.put(&room.path(&format!("/messages/{target}/reactions/👾"))).await.code().0, 409);
    }
}
