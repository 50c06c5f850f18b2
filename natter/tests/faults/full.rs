//! A log without room: it refuses, it never forgets.

use serde_json::{Value, json};

use natter_testkit::{DevServer, Room, Socket, User, chain_seqs, seq};

use crate::NATTER;

#[tokio::test]
async fn a_full_log_refuses_what_is_new_keeps_what_was_acked_and_lets_people_read() {
    let settings = [("PARTITIONS", "1"), ("LOG_MAX_BYTES", "1048576"), ("RATE_LIMITS", "off")];
    let mut natter = DevServer::start(NATTER, &settings).await;
    let (mut alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut writer, mut reader) = (alice.socket("phone").await, bob.socket("phone").await);
    let acked = reader.read_during(fill(&mut writer, &room)).await;
    assert!(acked.len() > 100, "{}", acked.len());

    let last = seq(acked.last().unwrap());
    reader.wait_for_seq(&room, last).await;
    assert_eq!(chain_seqs(&reader.frames, &room, room.head).len(), acked.len());
    expect_readable(&alice, &room, &acked).await;

    // Over HTTP the same answer, with the time to come back.
    let body = json!({"conversationId": room.id, "content": "x".repeat(8192)});
    let refused = alice.post("/api/messages", &body).await;
    assert_eq!(refused.code(), (503, "unavailable"));
    assert!(refused.headers.contains_key("retry-after"));

    // Accounts, marks and sockets need no room in the log.
    let again = User::log_in_as(&natter.http, "alice").await;
    User::register_as(&natter.http, "carl").await;
    let mark = json!({"conversationId": room.id, "seq": last});
    assert_eq!(bob.post("/api/messages/read", &mark).await.ok(200)["unreadCount"], 0);
    again.socket("tablet").await.ping().await;

    assert!(natter.stop().await.success());
    natter.start_again().await;
    alice.move_to(&natter.http);
    expect_readable(&alice, &room, &acked).await;
}

/// Sends until it is refused; the acks.
async fn fill(writer: &mut Socket, room: &Room) -> Vec<Value> {
    let content = "x".repeat(8192);
    let mut acked = Vec::new();
    loop {
        let answer = writer.call(room.message_frame(&format!("m-{}", acked.len()), &content)).await;
        if answer["type"] == "ack" {
            acked.push(answer);
            assert!(acked.len() < 1_000, "a log of 1 MiB took {} messages of 8 KiB", acked.len());
        } else {
            assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unavailable")));
            assert!(answer["retryAfterMs"].is_u64(), "{answer}");
            return acked;
        }
    }
}

async fn expect_readable(user: &User, room: &Room, acked: &[Value]) {
    let history = user.history(room).await;
    let kept: Vec<_> = history.iter().map(|m| (m["id"].clone(), m["seq"].clone())).collect();
    let promised: Vec<_> = acked.iter().map(|a| (a["messageId"].clone(), a["seq"].clone())).collect();
    assert_eq!(kept, promised);
}
