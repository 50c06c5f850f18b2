//! A disk without room: the log's, and the store's beside it.

use std::time::{Duration, Instant};

use natter_testkit::SmallDisk;
use serde_json::{Value, json};

use natter_testkit::{Answer, DevServer, Room, User, until};

use crate::{NATTER, lost::stored};

const REFUSED_WITHIN: Duration = Duration::from_secs(3);
const SENDING_WITHIN: Duration = Duration::from_secs(10);

async fn post(user: &User, room: &Room, client_id: &str) -> (Answer, Duration) {
    let began = Instant::now();
    let body = json!({"conversationId": room.id, "content": "x".repeat(8000), "clientId": client_id});
    (user.post("/api/messages", &body).await, began.elapsed())
}

/// Over HTTP until it is refused: the acked messages, the last answer and how long it took.
async fn fill(user: &User, room: &Room) -> (Vec<Value>, Answer, Duration) {
    let mut acked = Vec::new();
    loop {
        let (answer, took) = post(user, room, &format!("m-{}", acked.len())).await;
        if answer.status != 201 {
            return (acked, answer, took);
        }
        acked.push(answer.ok(201));
        assert!(acked.len() < 5_000, "the disk never fills");
    }
}

fn ids(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_full_disk_refuses_with_its_reason_until_there_is_room() {
    let disk = SmallDisk::mount(128);
    let natter = DevServer::start_in(NATTER, disk.path().join("data"), &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut writer, mut reader) = (alice.socket("phone").await, bob.socket("phone").await);
    writer.call(room.message_frame("before", "before")).await;
    assert_eq!(alice.get("/health/ready").await.ok(200)["parts"]["log"], "up");

    disk.fill(3 << 20);
    let filled = writer.read_during(reader.read_during(fill(&alice, &room))).await;
    let (acked, refused, took) = filled;
    assert!(!acked.is_empty());
    assert!(took < REFUSED_WITHIN, "refused after {took:?}");
    assert_eq!(refused.code(), (503, "unavailable"));
    assert!(refused.body["detail"].as_str().unwrap().contains("disk"), "{}", refused.body);
    let began = Instant::now();
    let answer = writer.call(room.message_frame("on-a-socket", "x")).await;
    assert!(began.elapsed() < REFUSED_WITHIN, "refused after {:?}", began.elapsed());
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unavailable")));
    assert!(answer["message"].as_str().unwrap().contains("disk"), "{answer}");
    let ready = alice.get("/health/ready").await;
    assert_eq!((ready.status, &ready.body["parts"]["log"]), (503, &json!("down")), "{}", ready.body);
    assert!(natter.metric("natter_publish_failed_total").await > 0.5);
    // What was acked can be read.
    assert_eq!(ids(&alice.history(&room).await)[1..], ids(&acked));

    disk.make_room();
    let room_at = Instant::now();
    let last = loop {
        let (answer, _) = post(&alice, &room, "after").await;
        if answer.status == 201 {
            break answer.ok(201);
        }
        assert_eq!(answer.code(), (503, "unavailable"));
        assert!(room_at.elapsed() < SENDING_WITHIN, "no sending after {:?}", room_at.elapsed());
    };
    assert!(room_at.elapsed() < SENDING_WITHIN, "sending works after {:?}", room_at.elapsed());
    until("ready again", async || alice.get("/health/ready").await.status == 200).await;
    let history = alice.history(&room).await;
    let kept = ids(&history);
    assert_eq!(kept[1..=acked.len()], ids(&acked));
    assert_eq!(kept.last(), last["id"].as_str().as_ref());
    reader.wait_for_seq(&room, last["seq"].as_u64().unwrap()).await;
    until("the store has all of it", async || stored(&natter) == kept.len()).await;
}
