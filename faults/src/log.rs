//! The log: what clients of a deployment sent and were shown, one JSON object a line, in the order in which it
//! happened. Any client can write it; the oracle reads nothing else.
//!
//! `at` is microseconds of one clock, that of whoever writes the log. Client ids are unique in a log, and the same for
//! each attempt at one message.

use std::io::{BufRead, Write};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Microseconds since the log began.
pub type Micros = u64;
pub type Seq = u64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub at: Micros,
    #[serde(flatten)]
    pub record: Record,
}

/// One thing that happened at a client. `device` stays the same over its reconnects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Record {
    /// An attempt; repeated for each.
    Send {
        user: String,
        device: String,
        room: String,
        client_id: String,
    },
    Ack {
        client_id: String,
        room: String,
        seq: Seq,
        id: String,
    },
    /// An error as the answer. `unavailable` leaves open whether it was stored.
    Refusal {
        client_id: String,
        code: String,
    },
    /// No answer came.
    Unknown {
        client_id: String,
    },
    /// The device follows the room from here on: the next event has this as its `prevSeq`.
    Follow {
        user: String,
        device: String,
        room: String,
        position: Seq,
    },
    /// `hello` or `resume` with positions: what comes after it was sent after it.
    Resume {
        device: String,
    },
    /// An event of a room on a socket.
    Live {
        device: String,
        room: String,
        prev: Seq,
        row: Row,
    },
    /// `resume:gap`: the device's chain goes on after `head`.
    Gap {
        device: String,
        room: String,
        head: Seq,
    },
    /// A page of history: everything after `after` up to `to`, asked for at `asked`.
    Page {
        user: String,
        room: String,
        asked: Micros,
        after: Seq,
        to: Seq,
        rows: Vec<Row>,
    },
    /// A record of the topic.
    Kafka {
        partition: u32,
        epoch: String,
        room: String,
        row: Row,
    },
    /// What the user was shown as unread, asked for when nothing was being sent.
    Unread {
        user: String,
        room: String,
        read: Seq,
        count: u64,
    },
    /// The answer to a read mark that was asked for at `asked`.
    Read {
        user: String,
        room: String,
        asked: Micros,
        seq: Seq,
    },
    /// A device was shown how far someone has read.
    Receipt {
        device: String,
        room: String,
        reader: String,
        seq: Seq,
    },
    /// The user's sockets: whether any is open from now on.
    Sockets {
        user: String,
        open: bool,
    },
    /// A status that was asked for at `asked`.
    Presence {
        user: String,
        asked: Micros,
        online: bool,
    },
    /// The answer to a removal or a departure, or the end of a session of the room's only device.
    Removed {
        user: String,
        room: String,
    },
    Added {
        user: String,
        room: String,
    },
    /// The answer to a block: `user` may send nothing into the direct conversation from now on.
    Blocked {
        user: String,
        room: String,
    },
    Unblocked {
        user: String,
        room: String,
    },
    /// The answer to a deletion of the message at `seq`.
    Deleted {
        room: String,
        seq: Seq,
    },
    /// The devices had time to catch up with everything; each line before is final.
    Settled,
}

/// An event as a client is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub seq: Seq,
    pub id: String,
    /// Empty for what is no message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub client_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sender: String,
    /// Whether there was content; deleted messages have none.
    #[serde(default)]
    pub content: bool,
}

impl Row {
    pub fn is_message(&self) -> bool {
        !self.client_id.is_empty()
    }
}

/// Reads a log.
///
/// # Errors
/// With the number of the first line that is none.
pub fn read(input: impl BufRead) -> anyhow::Result<Vec<Line>> {
    let lines = (1..).zip(input.lines());
    let filled = lines.filter(|(_, line)| line.as_ref().map_or(true, |line| !line.trim().is_empty()));
    filled
        .map(|(number, line)| {
            let line = line.with_context(|| format!("line {number}"))?;
            serde_json::from_str(&line).with_context(|| format!("line {number} is no record"))
        })
        .collect()
}

/// Writes a log.
///
/// # Errors
/// As the output has it.
pub fn write(mut output: impl Write, lines: &[Line]) -> anyhow::Result<()> {
    for line in lines {
        serde_json::to_writer(&mut output, line)?;
        output.write_all(b"\n")?;
    }
    Ok(())
}
