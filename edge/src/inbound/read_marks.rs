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

/// Moves read marks forward, of sockets and of HTTP requests.
pub struct ReadMarks {
    pub members: Arc<Members>,
    pub rpc: RpcClient,
}

/// What one socket has read, by conversation.
#[derive(Default)]
pub struct SocketReads(Mutex<HashMap<ConversationId, Reading>>);

#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    /// The highest seq reported since the last mark was begun.
    reported: Seq,
    last: Option<LastMark>,
}

/// The last mark made for a socket.
#[derive(Debug, Clone, Copy)]
struct LastMark {
    /// The seq it was asked with; the service may have clamped it to the head.
    requested: Seq,
    mark: ReadState,
    begun: Instant,
}

impl SocketReads {
    /// Notes a `read` as it arrives, before its turn: a mark begun from now on covers it.
    pub fn note(&self, conversation: ConversationId, seq: Seq) -> Instant {
        let now = Instant::now();
        let mut readings = self.0.lock();
        if readings.len() >= REMEMBERED {
            readings.retain(|_, reading| reading.last.is_some_and(|last| last.begun.elapsed() < INTERVAL));
        }
        let reading = readings.entry(conversation).or_default();
        reading.reported = reading.reported.max(seq);
        now
    }

    fn last(&self, conversation: ConversationId) -> Option<LastMark> {
        self.0.lock().get(&conversation).and_then(|reading| reading.last)
    }

    /// Taken, not kept: what was reported past the end must not mark as read what comes there later.
    fn take_reported(&self, conversation: ConversationId) -> Seq {
        self.0.lock().get_mut(&conversation).map_or(0, |reading| std::mem::take(&mut reading.reported))
    }

    /// What was marked before says nothing about what is read after this.
    fn forget_last(&self, conversation: ConversationId) {
        if let Some(reading) = self.0.lock().get_mut(&conversation) {
            reading.last = None;
        }
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

    /// Makes the message at `seq` and what follows it unread again.
    pub async fn unread(
        &self,
        reads: &SocketReads,
        user: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<ReadState, ApiError> {
        let marked = self.mark(user, conversation, (seq, true)).await;
        reads.forget_last(conversation);
        marked
    }

    /// The last mark if it was begun after this `read` was noted, else a new one: an older count may lack what was
    /// sent, or read on another device, in between.
    pub async fn coalesced(
        &self,
        reads: &SocketReads,
        user: UserId,
        conversation: ConversationId,
        (seq, noted): (Seq, Instant),
    ) -> Result<ReadState, ApiError> {
        if let Some(last) = reads.last(conversation) {
            if last.begun >= noted && last.requested >= seq {
                return Ok(last.mark);
            }
            tokio::time::sleep(INTERVAL.saturating_sub(last.begun.elapsed())).await;
        }
        let begun = Instant::now();
        let requested = reads.take_reported(conversation).max(seq);
        let mark = self.mark(user, conversation, (requested, false)).await?;
        reads.set_last(conversation, LastMark { requested, mark, begun });
        Ok(mark)
    }
}
