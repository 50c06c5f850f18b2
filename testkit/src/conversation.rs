//! A conversation as a client knows it, and what its events must be like.

use serde_json::{Value, json};

/// A conversation and the seq of its newest event when it was made.
#[derive(Debug, Clone)]
pub struct Room {
    pub id: String,
    pub head: u64,
}

impl Room {
    /// As an answer over HTTP shows it.
    pub fn of(conversation: &Value) -> Self {
        let head = conversation["headSeq"].as_u64().expect("a conversation has a newest event");
        Self { id: text(&conversation["id"]), head }
    }

    /// A frame about this room.
    pub fn frame(&self, kind: &str, fields: &Value) -> Value {
        let mut frame = json!({"type": kind, "conversationId": self.id});
        for (name, value) in fields.as_object().expect("fields of a frame") {
            frame[name] = value.clone();
        }
        frame
    }

    /// A `send` frame.
    pub fn message_frame(&self, client_id: &str, content: &str) -> Value {
        self.frame("send", &json!({"content": content, "clientId": client_id}))
    }

    /// Whether a frame is about this room.
    pub fn has(&self, frame: &Value) -> bool {
        frame["conversationId"] == self.id || frame["conversation"]["id"] == self.id
    }

    /// Whether a frame is an event of this room, at this seq or later.
    pub fn has_event_from(&self, seq: u64, frame: &Value) -> bool {
        frame["prevSeq"].is_u64() && self.has(frame) && frame["seq"].as_u64() >= Some(seq)
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/api/conversations/{}{rest}", self.id)
    }
}

/// A room's events in the order they came; each follows the one before, the first `after`.
#[track_caller]
pub fn chain(frames: &[Value], room: &Room, after: u64) -> Vec<Value> {
    let mut last = after;
    let mut chained = Vec::new();
    for event in frames.iter().filter(|frame| room.has_event_from(0, frame)) {
        assert_eq!(event["prevSeq"], last, "a hole: {event}");
        last = seq(event);
        chained.push(event.clone());
    }
    chained
}

/// The seqs of a [`chain`].
#[track_caller]
pub fn chain_seqs(frames: &[Value], room: &Room, after: u64) -> Vec<u64> {
    chain(frames, room, after).iter().map(seq).collect()
}

#[track_caller]
pub fn seq(value: &Value) -> u64 {
    value["seq"].as_u64().unwrap_or_else(|| panic!("no seq: {value}"))
}

pub fn kind(frame: &Value) -> &str {
    frame["type"].as_str().unwrap_or_default()
}

#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text")).to_owned()
}
