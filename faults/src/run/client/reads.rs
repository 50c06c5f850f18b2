//! What a client marks as read, and how far it is shown that others, and its user elsewhere, have read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    log::{Micros, Record, Seq},
    run::recorder::Recorder,
};

/// Of so many events that a client is shown of a room, it marks the last as read.
const EVERY: u32 = 100;
/// What its ids begin with.
const PREFIX: &str = "read-";

#[derive(Default)]
pub struct Reads {
    shown: BTreeMap<String, u32>,
    /// Frames to be sent.
    due: Vec<String>,
    /// When each was composed that has no answer yet.
    asked: BTreeMap<String, Micros>,
    next: u64,
}

impl Reads {
    /// An event of a room.
    pub fn shown(&mut self, room: &str, seq: Seq, now: Micros) {
        let shown = self.shown.entry(room.to_owned()).or_default();
        *shown += 1;
        if !shown.is_multiple_of(EVERY) {
            return;
        }
        let id = format!("{PREFIX}{}", self.next);
        self.next += 1;
        let frame = json!({"type": "read", "id": id, "conversationId": room, "seq": seq});
        self.due.push(frame.to_string());
        self.asked.insert(id, now);
    }

    pub fn take_due(&mut self) -> Vec<String> {
        std::mem::take(&mut self.due)
    }

    /// What was under way may count or not: the next mark of the room decides it.
    pub fn disconnected(&mut self) {
        self.due.clear();
        self.asked.clear();
    }

    /// Whether the answer is to one of these.
    pub fn answered(&mut self, frame: &Value, user: &str, recorder: &Recorder) -> bool {
        let id = frame["id"].as_str().unwrap_or_default();
        let asked = self.asked.remove(id);
        if let (Some(asked), "read:ack") = (asked, frame["type"].as_str().unwrap_or_default()) {
            let room = frame["conversationId"].as_str().unwrap_or_default().to_owned();
            let seq = frame["seq"].as_u64().unwrap_or(0);
            recorder.record(Record::Read { user: user.to_owned(), room, asked, seq });
        }
        id.starts_with(PREFIX)
    }
}
