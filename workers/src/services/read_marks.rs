//! What was not read yet. A read mark is a position that only rises; its user may mark something as unread again, for
//! the own devices alone. The number of unread messages follows from these and is never kept anywhere.

mod unread; // pure but for one question to the store
mod late; // what could not be published at once

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use natter_nats::{
    clock::LogClock,
    log::{LogError, LogReader},
    message,
    publisher::Publisher,
    service::{RpcServer, ServiceError},
    subject,
};
use natter_schemas::{
    code::Code,
    id::{ConversationId, Partition, Seq, UserId},
    limits,
    rpc::{MarkRead, ReadMark, ReadMarkHead, ReadMarkPage, ReadMarksAfter, ReadState},
};
use natter_store::{ReadPosition, Store, UnreadMark};
use tracing::warn;

pub use unread::{read_through, unread};

use super::{Failure, history::History};

/// The mark is stored by then; the caller waits no longer for its publication.
const NOTIFY_TIMEOUT: Duration = limits::PUBLISH_ATTEMPT;
/// Each edge asks for the head twice a second.
const HEAD_AGE: Duration = Duration::from_millis(250);

pub struct ReadMarks {
    store: Arc<dyn Store>,
    publisher: Publisher,
    history: Arc<History>,
    partitions: u16,
    clock: LogClock,
    log: LogReader,
    head: Cache<(), Seq>,
    late: late::Late,
}

impl ReadMarks {
    pub fn new(
        store: Arc<dyn Store>,
        publisher: Publisher,
        (history, log): (Arc<History>, LogReader),
        partitions: u16,
        clock: LogClock,
    ) -> Self {
        let head = Cache::builder().max_capacity(1).time_to_live(HEAD_AGE).build();
        Self { store, publisher, history, partitions, clock, log, head, late: late::Late::default() }
    }

    pub async fn serve(self: Arc<Self>, server: &mut RpcServer) -> Result<(), ServiceError> {
        answer!(server, self, { MarkRead => read, ReadMarkHead => published_head, ReadMarksAfter => published_after, });
        Ok(())
    }

    async fn read(&self, call: MarkRead) -> Result<ReadState, Failure> {
        let MarkRead { user, conversation, seq, private, unread: again } = call;
        let membership = self.store.membership(conversation, user).await?;
        membership.and_then(|m| m.role).ok_or(Code::NotFound)?;

        let floor = self.history.floor(conversation);
        let (tail, head) = self.history.tail_and_head(conversation, floor).await?;
        let at = self.clock.now();
        let place = (conversation, user);
        if !again {
            self.store.advance_read(conversation, user, seq.min(head), at).await?;
        }
        let known = read_through(user, self.store.read_position(conversation, user).await?, &tail);
        // While something counts as unread nothing beyond the mark was read.
        let moved = !again && known.counting().is_none();
        let position = if again {
            self.mark_unread(place, known, seq.saturating_sub(1)).await?
        } else {
            self.read_again(place, known, seq.min(head)).await?
        };
        let own = position.own();
        let unread = unread(&*self.store, place, own.seq, floor, &tail).await?;
        let mark = ReadMark { conversation, user, seq: position.read, at, private, moved, own };
        if self.publish_mark(mark).await.is_err() {
            self.late.add(place, private);
        }
        Ok(ReadState { seq: own.seq, unread })
    }

    async fn published_head(&self, _: ReadMarkHead) -> Result<Seq, Failure> {
        let head = self.head.try_get_with((), self.log.read_mark_head()).await;
        Ok(head.map_err(|error| LogError::Unavailable(error.to_string()))?)
    }

    async fn published_after(&self, call: ReadMarksAfter) -> Result<ReadMarkPage, Failure> {
        Ok(self.log.read_marks_after(call.after, limits::READ_MARKS).await?)
    }

    /// What is unread already stays so.
    async fn mark_unread(
        &self,
        (conversation, user): (ConversationId, UserId),
        known: ReadPosition,
        position: Seq,
    ) -> Result<ReadPosition, Failure> {
        if position >= known.own().seq {
            return Ok(known);
        }
        let version = known.unread.version.max(known.ended) + 1;
        let unread = UnreadMark { version, position, over: known.read };
        self.store.mark_unread(conversation, user, unread).await?;
        Ok(ReadPosition { unread, ..known })
    }

    /// Up to where it was read before, what is marked as unread is read step by step.
    async fn read_again(
        &self,
        (conversation, user): (ConversationId, UserId),
        known: ReadPosition,
        seq: Seq,
    ) -> Result<ReadPosition, Failure> {
        match known.counting() {
            Some(mark) if seq >= mark.over => {
                self.store.end_unread(conversation, user, mark.version).await?;
                Ok(ReadPosition { ended: mark.version, ..known })
            }
            Some(mark) if seq > mark.position => {
                let unread = UnreadMark { position: seq, ..mark };
                self.store.mark_unread(conversation, user, unread).await?;
                Ok(ReadPosition { unread, ..known })
            }
            _ => Ok(known),
        }
    }

    /// The last mark of each user is kept by the stream; a repeat is dropped as a duplicate.
    async fn publish_mark(&self, mark: ReadMark) -> Result<(), NotPublished> {
        let ReadMark { conversation, user, seq, own, .. } = mark;
        let id = format!("{conversation}:{user}:{seq}:{}:{}", own.version, own.seq);
        let subject = subject::reads(Partition::of(conversation, self.partitions), conversation, user);
        let publish = self.publisher.publish(subject, &id, message::encode(&mark));
        let reason = match tokio::time::timeout(NOTIFY_TIMEOUT, publish).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        warn!(%conversation, seq, error = reason, "read mark stored, but not published to other devices yet");
        Err(NotPublished)
    }
}

/// It is in the store alone.
struct NotPublished;
