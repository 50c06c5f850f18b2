//! What goes to Kafka for one event of every kind.

use std::fs;

use natter_schemas::{
    cloudevent::{self, Content, Position, Record},
    codec,
    event::{Event, Kind},
    id::{ConversationId, Partition},
};

pub const EPOCH: &str = "0123456789abcdef0123456789abcdef";

/// One event of every kind, from the golden bytes.
pub fn events() -> Vec<(String, Event)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/events.txt");
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    };
    let event = |line: &str| {
        let (name, bytes) = line.split_once(' ').unwrap();
        (name.to_owned(), codec::decode(&unhex(bytes)).unwrap())
    };
    fs::read_to_string(path).unwrap().lines().map(event).collect()
}

pub const fn at(seq: u64) -> Position<'static> {
    Position { partition: Partition(3), seq, epoch: EPOCH }
}

pub fn records() -> Vec<(String, Record)> {
    let mut records = Vec::new();
    for (name, event) in events() {
        records.push((name.clone(), cloudevent::record(at(41), &event, Content::Sealed)));
        if matches!(event.kind, Kind::Posted { .. } | Kind::Edited { .. }) {
            let omitted = cloudevent::record(at(41), &event, Content::Omitted);
            records.push((format!("{name}, content omitted"), omitted));
        }
    }
    let room = ConversationId::from_bytes([0xc0; 16]);
    records.push(("unreadable".to_owned(), cloudevent::unreadable(at(41), Some(room))));
    records.push(("unreadable, nowhere".to_owned(), cloudevent::unreadable(at(41), None)));
    records
}
