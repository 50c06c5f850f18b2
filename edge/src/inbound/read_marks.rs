//! Read marks: every `read` is answered, but a scrolling reader's marks reach the inbox service at most twice a
//! second for a conversation. The newest one covers those before it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use natter_nats::service::RpcClient;
use natter_schemas::{
    id::{ConversationId, Seq, UserId},
    rpc::{MarkRead, ReadState},
};
use parking_lot::Mutex;

use crate::{api_error::ApiError, membership::Members};

/// Between two marks of one socket and conversation.
const INTERVAL: Duration = Duration::from_millis(500);

/// Conversations whose marks a socket remembers; the mark of a forgotten one is asked for again.
const REMEMBERED: usize = 1_000;

/// Marks back of one conversation between which reads are gathered while they wait for their turn.
const STRETCHES: usize = 64;

/// Moves read marks forward, of sockets and of HTTP requests.
pub struct ReadMarks {
    pub members: Arc<Members>,
    pub rpc: RpcClient,
}

/// What one socket has read, by conversation.
#[derive(Default)]
pub struct SocketReads(Mutex<HashMap<ConversationId, Reading>>);

#[derive(Debug, Default)]
struct Reading {
    /// Marks back that have arrived: what was reported before one and after it are different stretches.
    stretch: u64,
    /// The highest seq reported in each stretch since the last mark of it was begun.
    reported: Vec<(u64, Seq)>,
    last: Option<LastMark>,
}

/// The last mark made for a socket.
#[derive(Debug, Clone, Copy)]
struct LastMark {
    stretch: u64,
    /// The seq it was asked with; the service may have clamped it to the head.
    requested: Seq,
    mark: ReadState,
    begun: Instant,
}

/// When a `read` arrived, and after how many marks back.
#[derive(Debug, Clone, Copy)]
pub struct Noted {
    at: Instant,
    stretch: u64,
}

impl SocketReads {
    /// Notes a `read` as it arrives, before its turn: a mark of its stretch that is begun from now on covers it.
    pub fn note(&self, conversation: ConversationId, seq: Seq) -> Noted {
        let at = Instant::now();
        let mut readings = self.0.lock();
        if readings.len() >= REMEMBERED {
            readings.retain(|_, reading| reading.last.is_some_and(|last| last.begun.elapsed() < INTERVAL));
        }
        let reading = readings.entry(conversation).or_default();
        let (stretch, gathered) = (reading.stretch, reading.reported.len());
        match reading.reported.last_mut() {
            Some((of, highest)) if *of == stretch => *highest = seq.max(*highest),
            // Beyond that each stands for itself.
            _ if gathered < STRETCHES => reading.reported.push((stretch, seq)),
            _ => {}
        }
        Noted { at, stretch }
    }

    /// Notes a mark back as it arrives: what is read after it says nothing about what was read before.
    pub fn note_unread(&self, conversation: ConversationId) {
        if let Some(reading) = self.0.lock().get_mut(&conversation) {
            reading.stretch += 1;
        }
    }

    fn last(&self, conversation: ConversationId) -> Option<LastMark> {
        self.0.lock().get(&conversation).and_then(|reading| reading.last)
    }

    /// Taken, not kept: what was reported past the end must not mark as read what comes there later.
    fn take_reported(&self, conversation: ConversationId, stretch: u64) -> Seq {
        let mut readings = self.0.lock();
        let Some(reading) = readings.get_mut(&conversation) else { return 0 };
        let highest = reading.reported.iter().find(|(of, _)| *of == stretch).map_or(0, |(_, seq)| *seq);
        // Those before it have had their turn.
        reading.reported.retain(|(of, _)| *of > stretch);
        highest
    }

    fn set_last(&self, conversation: ConversationId, last: LastMark) {
        self.0.lock().entry(conversation).or_default().last = Some(last);
    }
}

impl ReadMarks {
    /// In a direct conversation that one side has blocked the other is sent no receipt.
    pub async fn mark(
        &self,
        user: UserId,
        conversation: ConversationId,
        (seq, unread): (Seq, bool),
    ) -> Result<ReadState, ApiError> {
        let private = self.members.access(user, conversation).await?.blocked;
        Ok(self.rpc.call(&MarkRead { user, conversation, seq, private, unread }).await?)
    }

    /// The last mark if it was begun after this `read` was noted, with no mark back between them, else a new one: an older
    /// count may lack what was sent, or read on another device, in between.
    pub async fn coalesced(
        &self,
        reads: &SocketReads,
        user: UserId,
        conversation: ConversationId,
        (seq, noted): (Seq, Noted),
    ) -> Result<ReadState, ApiError> {
        if let Some(last) = reads.last(conversation) {
            if last.stretch == noted.stretch && last.begun >= noted.at && last.requested >= seq {
                return Ok(last.mark);
            }
            tokio::time::sleep(INTERVAL.saturating_sub(last.begun.elapsed())).await;
        }
        let begun = Instant::now();
        let requested = reads.take_reported(conversation, noted.stretch).max(seq);
        let mark = self.mark(user, conversation, (requested, false)).await?;
        reads.set_last(conversation, LastMark { stretch: noted.stretch, requested, mark, begun });
        Ok(mark)
    }
}
