//! What is stored and cannot be read any more.

use serde_json::{Value, json};

use natter_testkit::{DevServer, Room, User, until};

use crate::{NATTER, lost::stored};

/// The bytes of an event of the store that is stopped.
fn garble(natter: &DevServer, room: &Room, seq: u64) {
    let db = rusqlite::Connection::open(natter.data().join("natter.db")).unwrap();
    let id = room.id.replace('-', "");
    let place = format!("SELECT place FROM messages WHERE conversation = x'{id}' AND seq = {seq}");
    let sql = format!("UPDATE events SET data = x'01ff' WHERE place IN ({place})");
    assert_eq!(db.execute(&sql, []).unwrap(), 1);
}

#[tokio::test]
async fn an_unreadable_newest_message_is_a_placeholder_in_every_list() {
    let mut natter = DevServer::start(NATTER, &[]).await;
    let (alice, mut bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let (room, other) = (alice.group(&[&bob]).await, alice.group(&[&bob]).await);
    let mut seqs = Vec::new();
    for number in 0..5 {
        seqs.push(alice.post_message(&room, &number.to_string()).await);
    }
    let elsewhere = alice.post_message(&other, "elsewhere").await;
    until("the store has all of it", async || stored(&natter) == 6).await;
    assert!(natter.stop().await.success());
    garble(&natter, &room, seqs[4]);
    garble(&natter, &room, seqs[1]);
    natter.start_again().await;
    bob.move_to(&natter.http);

    let placeholder = |message: &Value, seq: u64| {
        assert_eq!((&message["unreadable"], &message["seq"]), (&json!(true), &json!(seq)), "{message}");
        assert_eq!((&message["content"], &message["senderId"]), (&Value::Null, &json!(alice.id)));
    };
    let history = bob.history(&room).await;
    assert_eq!(history.iter().map(|message| message["seq"].as_u64().unwrap()).collect::<Vec<_>>(), seqs);
    placeholder(&history[4], seqs[4]);
    placeholder(&history[1], seqs[1]);
    assert_eq!((&history[3]["content"], &history[3]["unreadable"]), (&json!("3"), &Value::Null));

    for path in ["/api/conversations", "/api/inbox"] {
        let list = bob.get(path).await.ok(200);
        let items = list["items"].as_array().unwrap();
        assert_eq!(items.len(), 2, "{list}");
        assert_eq!(items[0]["lastMessage"]["seq"], elsewhere);
        placeholder(&items[1]["lastMessage"], seqs[4]);
    }
    placeholder(&bob.conversation(&room).await["lastMessage"], seqs[4]);
    assert!(natter.metric("natter_store_unreadable_events_total").await > 0.5);
}
