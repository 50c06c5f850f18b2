//! Reads a conversation's tail; of a busy one only what came since it was read before.

use std::sync::Arc;

use natter_nats::log;
use natter_schemas::{
    event::LogEntry,
    id::{ConversationId, Seq},
};

use super::{
    History, Portion,
    tail::{CachedTail, Tail},
};
use crate::services::Failure;

/// Read from the log at once.
const PORTION: log::Portion = log::Portion { events: 500, bytes: 1024 * 1024 };
/// Fewer events are read again as cheaply as they are kept.
const WORTH_CACHING: usize = 4;

impl History {
    /// The conversation from there to its end: every event, or if there are too many to be held, the newest and what
    /// counts of the others.
    pub async fn tail(&self, conversation: ConversationId, from: Seq) -> Result<Tail, Failure> {
        let from = from.max(1);
        let known = self.tails.get(&conversation).await;
        let mut tail = known.map_or_else(|| CachedTail::nothing(from), |known| known.since(from));
        let mut learned = false;
        let newest = loop {
            let part = self.log.end(conversation, tail.next(), PORTION, tail.len() > 0).await?;
            learned |= !part.events.is_empty();
            tail.learn(&part.events, &self.unreadable);
            if !part.cut {
                break part.newest;
            }
        };
        let mut answer = tail.tail();
        answer.head = answer.head.max(newest);
        if tail.len() >= WORTH_CACHING && learned {
            self.tails.insert(conversation, Arc::new(tail)).await;
        }
        Ok(answer)
    }

    /// The next events of the conversation's log from `from` on: for whoever goes over all of it, however long it is.
    pub async fn portion(&self, conversation: ConversationId, from: Seq) -> Result<Portion, Failure> {
        let end = self.log.end(conversation, from, PORTION, false).await?;
        let next = end.events.last().map_or(from, |last| last.seq + 1);
        Ok(Portion { events: Tail::of(&end.events, &self.unreadable), next, newest: end.newest })
    }

    /// Hands every event from there on to `each`, in order, however many there are; returns the conversation's newest
    /// seq, `None` if the log has nothing of it.
    pub async fn each_event(
        &self,
        conversation: ConversationId,
        from: Seq,
        mut each: impl FnMut(&LogEntry) + Send,
    ) -> Result<Option<Seq>, Failure> {
        let mut next = from.max(1);
        loop {
            let part = self.log.end(conversation, next, PORTION, next > from).await?;
            next = part.events.last().map_or(next, |last| last.seq + 1);
            Tail::of(&part.events, &self.unreadable).iter().for_each(&mut each);
            if !part.cut {
                return Ok(part.newest);
            }
        }
    }

    /// The log above the floor, and the conversation's head at that moment: the page made of both has
    /// everything up to that head.
    pub async fn tail_and_head(
        &self,
        conversation: ConversationId,
        floor: Seq,
    ) -> Result<(Tail, Seq), Failure> {
        let tail = self.tail(conversation, floor + 1).await?;
        let head = match tail.head {
            Some(head) => head,
            None => self.stored_head(conversation).await?,
        };
        Ok((tail, head))
    }
}
