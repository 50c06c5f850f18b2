//! What an operator with the store's file can do to one event. It is two rows: an entry in `messages` or
//! `changes` that says what it is and where its bytes are, and these.

use natter_schemas::{codec, event::Event, id::Seq};
use rusqlite::{Connection, Params};

use natter_testkit::Room;

use crate::deployment::{hex, id};

const PLACE: &str = "SELECT place FROM messages WHERE conversation = ?1 AND seq = ?2
                     UNION ALL SELECT place FROM changes WHERE conversation = ?1 AND seq = ?2";

/// Everything of it: its bytes go with its entry.
#[track_caller]
pub fn lose(store: &Connection, room: &Room, seq: Seq) {
    let from =
        |table| at(&format!("DELETE FROM {table} WHERE conversation = ?1 AND seq = ?2"), store, room, seq);
    assert_eq!(from("messages") + from("changes"), 1);
}

#[track_caller]
pub fn lose_bytes(store: &Connection, room: &Room, seq: Seq) {
    assert_eq!(at(&format!("DELETE FROM events WHERE place IN ({PLACE})"), store, room, seq), 1);
}

#[track_caller]
pub fn overwrite(store: &Connection, room: &Room, seq: Seq, data: &[u8]) {
    let sql = format!("UPDATE events SET data = x'{}' WHERE place IN ({PLACE})", hex(data));
    assert_eq!(at(&sql, store, room, seq), 1);
}

/// Puts a posted message into the store, where the log has another event or none; at a place that no event had before.
pub fn insert(store: &Connection, seq: Seq, event: &Event) {
    let data = "INSERT INTO events (place, data) VALUES ((SELECT next FROM places), ?1)";
    execute(store, data, [codec::encode(event)]);
    let entry = "INSERT INTO messages (conversation, seq, id, author, place) VALUES (?1, ?2, ?3, ?4, ?5)";
    let (conversation, author) = (event.conversation.as_bytes(), event.author.as_bytes());
    let seq = i64::try_from(seq).unwrap();
    execute(store, entry, (conversation, seq, event.id.as_bytes(), author, store.last_insert_rowid()));
}

/// The store forgets how far the conversation has come.
#[track_caller]
pub fn lose_head(store: &Connection, room: &Room) {
    assert_eq!(execute(store, "UPDATE conversations SET head = 0 WHERE id = ?1", [id(room).as_bytes()]), 1);
}

fn at(sql: &str, store: &Connection, room: &Room, seq: Seq) -> usize {
    execute(store, sql, (id(room).as_bytes(), i64::try_from(seq).unwrap()))
}

fn execute(store: &Connection, sql: &str, params: impl Params) -> usize {
    store.execute(sql, params).unwrap()
}
