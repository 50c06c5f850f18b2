//! Texts in clear, of a time when content was not sealed. Readers learn of their deletion by events; what the store has of
//! them is emptied. The log cannot be changed: it has them until their time is over.

use std::time::Duration;

use natter_nats::publisher::PublishError;
use natter_schemas::{
    backoff::Backoff,
    event::{Body, Event, Kind, LogEntry, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, UserId},
    limits,
    rpc::Target,
};
use tokio::time::{Instant, sleep};

use super::{EraseError, Eraser, Record};
use crate::readable_rows;

/// Events looked at together.
const PAGE: usize = 500;
/// How long the persister is waited for, and how often it is looked after.
const PERSISTED: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(200);
/// Between attempts, with jitter.
const BACKOFF_MIN: Duration = Duration::from_millis(2);
const BACKOFF_MAX: Duration = Duration::from_millis(25);

impl Eraser {
    /// From where the record has got, to the present end of the log.
    pub(super) async fn texts(&self, user: UserId, record: &mut Record) -> Result<(), EraseError> {
        let ends = self.log.last_seqs().await?;
        self.stored(&ends).await?;
        for conversation in self.store.conversations_ever(user).await? {
            let partition = usize::from(Partition::of(conversation, self.partitions).0);
            let from = record.scanned.get(partition).map_or(1, |scanned| scanned + 1);
            let to = ends.get(partition).copied().unwrap_or(0);
            self.texts_of(user, conversation, (from, to), record).await?;
        }
        record.scanned = ends;
        Ok(())
    }

    /// What is emptied in the store must be there.
    async fn stored(&self, ends: &[Seq]) -> Result<(), EraseError> {
        let deadline = Instant::now() + PERSISTED;
        loop {
            if self.history.all_floors().iter().zip(ends).all(|(floor, end)| floor >= end) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(EraseError::NotYet("the log is not stored yet: texts are looked at after that"));
            }
            sleep(LOOK).await;
        }
    }

    async fn texts_of(
        &self,
        user: UserId,
        conversation: ConversationId,
        (from, to): (Seq, Seq),
        record: &mut Record,
    ) -> Result<(), EraseError> {
        let mut next = from;
        while next <= to {
            let rows = readable_rows::read(&*self.store, conversation, (next, to), PAGE).await?;
            record.texts.unreadable += rows.unreadable.len() as u64;
            let Some(last) = rows.events.last().map(|entry| entry.seq) else { break };
            next = last + 1;
            let mut clear = Vec::new();
            for text in rows.events.iter().filter_map(|entry| text(entry, user)) {
                match text {
                    Text::Sealed => record.texts.sealed += 1,
                    Text::Clear { seq, target, at, is_empty } => {
                        record.texts.emptied += 1;
                        record.clear_until = record.clear_until.max(Some(at));
                        // An attempt before has emptied it, after the deletion.
                        clear.extend((!is_empty).then_some((seq, target)));
                    }
                }
            }
            for (_, target) in &clear {
                self.delete(user, conversation, *target).await?;
            }
            // After the deletions: no reader is shown an empty message.
            let seqs: Vec<Seq> = clear.into_iter().map(|(seq, _)| seq).collect();
            self.store.erase_texts(conversation, &seqs).await?;
        }
        Ok(())
    }

    /// Behind the end of the conversation, as any deletion.
    async fn delete(
        &self,
        user: UserId,
        conversation: ConversationId,
        target: Seq,
    ) -> Result<(), EraseError> {
        let deadline = Instant::now() + limits::PUBLISH_ATTEMPT;
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        loop {
            let Target { message, last } = self.history.message_and_end(conversation, target).await?;
            if message.is_none_or(|message| message.deleted_at.is_some()) {
                return Ok(());
            }
            let event = Event {
                id: EventId::fresh(),
                conversation,
                author: user,
                device: String::new(),
                client_id: None,
                at: self.events.now(),
                kind: Kind::Deleted { target },
                traceparent: None,
            };
            match self.events.append_after(last, vec![event]).await {
                Ok(_) => return Ok(()),
                Err(PublishError::Moved | PublishError::TimedOut) if Instant::now() < deadline => {
                    sleep(backoff.next_delay()).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What an event of the user has of a text.
enum Text {
    Sealed,
    /// Of the message at `target`.
    Clear {
        seq: Seq,
        target: Seq,
        at: Timestamp,
        is_empty: bool,
    },
}

fn text(LogEntry { seq, event }: &LogEntry, user: UserId) -> Option<Text> {
    let (target, body) = match &event.kind {
        Kind::Posted { body, .. } => (*seq, body),
        Kind::Edited { target, body } => (*target, body),
        _ => return None,
    };
    let text = match body {
        Body::Sealed { .. } => Text::Sealed,
        Body::Plain(text) => Text::Clear { seq: *seq, target, at: event.at, is_empty: text.is_empty() },
    };
    (event.author == user).then_some(text)
}
