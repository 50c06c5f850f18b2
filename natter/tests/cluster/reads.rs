//! Read marks: sent to the others and to one's own devices, never backwards, never beyond the end.

use serde_json::{Value, json};

use crate::shared;
use natter_testkit::{Device, Room, User, seq};

/// Marks over a socket and answers with what the server says.
pub async fn mark(device: &mut Device, room: &Room, seq: u64) -> Value {
    let answer = device.call(room.frame("read", &json!({"seq": seq}))).await;
    assert_eq!(answer["type"], "read:ack", "{answer}");
    answer
}

/// The count in the list, by id, and in the inbox, on both edges: all the same.
pub async fn unread(user: &User, room: &Room) -> u64 {
    let mut counts = Vec::new();
    for user in [user.at(0), user.at(1)] {
        counts.push(user.conversation(room).await["unreadCount"].as_u64().unwrap());
        let list = user.get("/api/conversations?limit=100").await.ok(200);
        let listed = list["items"].as_array().unwrap().iter().find(|item| item["id"] == room.id).unwrap();
        counts.push(listed["unreadCount"].as_u64().unwrap());
        let inbox = user.get("/api/inbox").await.ok(200);
        let items = inbox["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["conversationId"] == room.id);
        counts.push(item.map_or(0, |item| item["unreadCount"].as_u64().unwrap()));
    }
    assert!(counts.iter().all(|count| *count == counts[0]), "not the same everywhere: {counts:?}");
    counts[0]
}

async fn is_shown(device: &Device, room: &Room, user: &User, seq: u64) -> Value {
    device
        .wait_for_frame(&format!("a receipt for {seq}"), |frame| {
            frame["type"] == "read:receipt"
                && room.has(frame)
                && frame["userId"] == user.id
                && frame["seq"] == seq
        })
        .await
}

#[tokio::test]
async fn a_read_mark_reaches_members_on_both_edges_and_own_devices() {
    let cluster = shared().await;
    let (alice, bob, eve) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(0, "eve").await);
    let room = alice.group(&[&bob]).await;
    let (mut sender, far) = (alice.device("a").await, alice.at(1).device("b").await);
    let (mut reader, other) = (bob.device("reader").await, bob.at(0).device("other").await);
    let mut stranger = eve.device("e").await;
    let mut last = 0;
    for number in 0..3 {
        last = sender.post(&room, &number.to_string()).await;
    }
    reader.wait_for_seq(&room, last).await;
    assert_eq!(unread(&bob, &room).await, 3);
    assert_eq!(mark(&mut reader, &room, last).await["unreadCount"], 0);
    for device in [&sender, &far, &other, &reader] {
        assert!(is_shown(device, &room, &bob, last).await["readAt"].is_string());
    }
    stranger.ping().await;
    assert!(stranger.frames_of("read:receipt").is_empty());
    assert_eq!(unread(&bob, &room).await, 0);
    let participants = alice.conversation(&room).await["participants"].take();
    let bobs = participants.as_array().unwrap().iter().find(|p| p["userId"] == bob.id).unwrap();
    assert_eq!(bobs["readSeq"], last);
}

#[tokio::test]
async fn marks_beyond_the_end_are_clamped_and_marks_backwards_are_ignored() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let seqs = [
        alice.post_message(&room, "one").await,
        alice.post_message(&room, "two").await,
        alice.post_message(&room, "three").await,
    ];
    let mut reader = bob.device("reader").await;
    let ack = mark(&mut reader, &room, seqs[1]).await;
    assert_eq!((&ack["seq"], &ack["unreadCount"]), (&json!(seqs[1]), &json!(1)));
    let back = bob.at(0).mark_read(&room, seqs[0]).await;
    assert_eq!((&back["seq"], &back["unreadCount"]), (&json!(seqs[1]), &json!(1)));
    for beyond in [seqs[2] + 1, i64::MAX.unsigned_abs(), u64::MAX] {
        let clamped = bob.at(0).mark_read(&room, beyond).await;
        assert_eq!((&clamped["seq"], &clamped["unreadCount"]), (&json!(seqs[2]), &json!(0)));
        assert_eq!(mark(&mut reader, &room, beyond).await["seq"], seqs[2]);
    }
    // A mark beyond the end reads nothing that comes later.
    let later = alice.post_message(&room, "later").await;
    reader.wait_for_seq(&room, later).await;
    assert_eq!(unread(&bob, &room).await, 1);
    assert_eq!(mark(&mut reader, &room, seqs[0]).await["unreadCount"], 1);
    assert_eq!(unread(&bob, &room).await, 1);
}

#[tokio::test]
async fn a_flood_of_marks_is_all_answered_and_the_last_one_counts() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut sender, mut reader) = (alice.device("a").await, bob.device("reader").await);
    let mut seqs = Vec::new();
    for number in 0..50 {
        seqs.push(sender.post(&room, &number.to_string()).await);
    }
    let mut asked = Vec::new();
    for round in 0..500_usize {
        // Forwards, with a step back now and then.
        let place = (round / 10).saturating_sub(round % 3);
        asked.push(reader.request(room.frame("read", &json!({"seq": seqs[place]}))).await);
    }
    asked.push(reader.request(room.frame("read", &json!({"seq": seqs[49]}))).await);
    let mut highest = 0;
    for id in asked {
        let answer = reader.answer(id).await;
        assert_eq!(answer["type"], "read:ack", "{answer}");
        assert!(seq(&answer) >= highest, "backwards: {answer} after {highest}");
        highest = seq(&answer);
    }
    assert_eq!(highest, seqs[49]);
    is_shown(&sender, &room, &bob, seqs[49]).await;
    assert_eq!(unread(&bob, &room).await, 0);
    let receipts: Vec<u64> = sender.frames_of("read:receipt").iter().map(seq).collect();
    assert!(receipts.is_sorted(), "{receipts:?}");
    assert!(receipts.len() < 100, "{} receipts of one scroll", receipts.len());
}

#[tokio::test]
async fn ones_own_message_reads_what_came_before_it_and_deleted_ones_do_not_count() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "one").await;
    alice.post_message(&room, "two").await;
    assert_eq!(unread(&bob, &room).await, 2);
    bob.post_message(&room, "an answer").await;
    assert_eq!(unread(&bob, &room).await, 0);
    assert_eq!(unread(&alice, &room).await, 1);
    let three = alice.post_message(&room, "three").await;
    alice.post_message(&room, "four").await;
    assert_eq!(unread(&bob, &room).await, 2);
    alice.at(1).delete(&room.path(&format!("/messages/{three}"))).await.ok(204);
    assert_eq!(unread(&bob, &room).await, 1);
}

#[tokio::test]
async fn a_mark_as_unread_reaches_own_devices_and_no_others() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut sender, mut reader) = (alice.device("a").await, bob.device("reader").await);
    let other = bob.at(0).device("other").await;
    let mut seqs = Vec::new();
    for number in 0..3 {
        seqs.push(sender.post(&room, &number.to_string()).await);
    }
    mark(&mut reader, &room, seqs[2]).await;
    is_shown(&sender, &room, &bob, seqs[2]).await;

    let frame = json!({"seq": seqs[1], "unread": true});
    let marked = reader.call(room.frame("read", &frame)).await;
    assert_eq!((&marked["type"], &marked["unreadCount"]), (&json!("read:ack"), &json!(2)));
    assert_eq!(marked["seq"], seqs[1] - 1);
    for device in [&other, &reader] {
        assert_eq!(is_shown(device, &room, &bob, seqs[1] - 1).await["version"], 1);
    }
    assert_eq!(unread(&bob, &room).await, 2);
    assert_eq!(bob.conversation(&room).await["readSeq"], seqs[1] - 1);

    // Over HTTP the same, and a later read moves forward again.
    let body = json!({"conversationId": room.id, "seq": seqs[0], "unread": true});
    assert_eq!(bob.at(0).post("/api/messages/read", &body).await.ok(200)["unreadCount"], 3);
    assert_eq!(unread(&bob, &room).await, 3);
    assert_eq!(bob.mark_read(&room, seqs[2]).await["unreadCount"], 0);
    assert_eq!(unread(&bob, &room).await, 0);
    let again = |frame: &Value| frame["type"] == "read:receipt" && frame["version"] == 4;
    assert_eq!(other.wait_for_frame("the end of it", again).await["seq"], seqs[2]);

    // To others he has read all of it, once.
    sender.ping().await;
    let receipts = sender.frames_of("read:receipt").into_iter();
    let bobs: Vec<Value> = receipts.filter(|frame| frame["userId"] == bob.id).collect();
    assert_eq!(bobs.len(), 1, "{bobs:?}");
    assert_eq!((&bobs[0]["seq"], &bobs[0]["version"]), (&json!(seqs[2]), &Value::Null));
    let participants = alice.conversation(&room).await["participants"].take();
    let seen = participants.as_array().unwrap().iter().find(|p| p["userId"] == bob.id).unwrap();
    assert_eq!(seen["readSeq"], seqs[2]);
}
