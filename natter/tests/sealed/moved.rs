//! A sealed text that a writer of the store has moved opens nowhere else.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use natter_schemas::{
    codec,
    event::{Body, Event},
};
use natter_testkit::{Cluster, Room, User, until};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::{NATTER, SEALED, store};

/// The event at a seq of a conversation, as it is stored.
fn stored(store: &Connection, room: &Room, seq: u64) -> (i64, Event) {
    let query = "SELECT place, data FROM events WHERE place IN (
                     SELECT place FROM messages WHERE conversation = ?1 AND seq = ?2
                     UNION ALL SELECT place FROM changes WHERE conversation = ?1 AND seq = ?2)";
    let id = room.id.parse::<natter_schemas::id::ConversationId>().unwrap();
    let at = params![id.as_bytes(), i64::try_from(seq).unwrap()];
    let row = store.query_row(query, at, |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
    (row.0, codec::decode(&row.1).unwrap())
}

fn body(store: &Connection, room: &Room, seq: u64) -> Body {
    stored(store, room, seq).1.body().unwrap().clone()
}

fn put(store: &Connection, room: &Room, seq: u64, body: Body) {
    let (place, mut event) = stored(store, room, seq);
    *event.body_mut().unwrap() = body;
    let data = codec::encode(&event);
    store.execute("UPDATE events SET data = ?2 WHERE place = ?1", params![place, data]).unwrap();
}

/// What a page and the message alone show of it. Every page is another one: workers remember those that they have read.
async fn shown(user: &User, room: &Room, seq: u64) -> [Value; 2] {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let limit = 10 + NEXT.fetch_add(1, Relaxed) % 90;
    let path = format!("/api/messages?conversationId={}&limit={limit}", room.id);
    let page = user.get(&path).await.ok(200);
    let items = page["items"].as_array().unwrap();
    let in_page = items.iter().find(|message| message["seq"] == seq).unwrap().clone();
    [in_page, user.get(&room.path(&format!("/messages/{seq}"))).await.ok(200)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_text_moved_in_the_store_is_shown_nowhere() {
    let cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let (room, other) = (alice.group(&[&bob]).await, alice.group(&[&bob]).await);
    let secret = alice.post_message(&room, "the secret").await;
    let of_alice = alice.post_message(&room, "of alice").await;
    let of_bob = bob.post_message(&room, "of bob").await;
    let elsewhere = alice.post_message(&other, "elsewhere").await;
    let edited = alice.post_message(&room, "before the edit").await;
    let edit = json!({"content": "after the edit"});
    alice.patch(&room.path(&format!("/messages/{edited}")), &edit).await.ok(200);
    let last = bob.post_message(&room, "the last").await;
    until("all is persisted", async || cluster.persisted() == 6).await;
    let store = store(&cluster);
    let edit_at = store
        .query_row("SELECT seq FROM changes WHERE kind = 2", [], |row| row.get::<_, i64>(0))
        .map(|seq| u64::try_from(seq).unwrap())
        .unwrap();
    let unreadable = async |room: &Room, seq: u64, what: &str| {
        until(what, async || {
            let all = [shown(&bob, room, seq).await, shown(&bob.at(0), room, seq).await].concat();
            all.iter().all(|message| message["unreadable"] == true && message["content"].is_null())
        })
        .await;
    };
    let taken = body(&store, &room, secret);
    for (to, seq, what) in [
        (&room, of_alice, "not in another row of the same author"),
        (&room, of_bob, "not as another author's"),
        (&other, elsewhere, "not in another conversation"),
        (&room, edit_at, "not as an edit"),
    ] {
        let original = body(&store, to, seq);
        put(&store, to, seq, taken.clone());
        let message = if seq == edit_at { edited } else { seq };
        unreadable(to, message, what).await;
        put(&store, to, seq, original);
    }
    // The text of an edit as that of the message, and under another epoch.
    let original = body(&store, &room, of_alice);
    put(&store, &room, of_alice, body(&store, &room, edit_at));
    unreadable(&room, of_alice, "not as a post").await;
    let Body::Sealed { nonce, ciphertext, .. } = original.clone() else { panic!("{original:?}") };
    put(&store, &room, of_alice, Body::Sealed { key_version: 2, nonce, ciphertext });
    unreadable(&room, of_alice, "not as of another key").await;
    put(&store, &room, of_alice, original);

    // Everything around was shown as it is, and is again.
    let texts: Vec<Value> = bob.history(&room).await.iter().map(|m| m["content"].clone()).collect();
    assert_eq!(texts, ["the secret", "of alice", "of bob", "after the edit", "the last"]);
    assert_eq!(bob.conversation(&room).await["lastMessage"]["seq"], last);
}
