//! Reads a conversation's tail; of a busy one only what came since it was read before.

use std::sync::Arc;

use natter_schemas::id::{ConversationId, Seq};

use super::{
    History, Portion,
    tail::{CachedTail, Tail},
};
use crate::services::Failure;

/// Events of one conversation that one answer may read above the floor: at about 300 B each 3 MB. A healthy
/// persister leaves some seconds' worth; this many mean that it has stood still for long.
const MAX_TAIL_EVENTS: usize = 10_000;
/// Events of one portion: at about 300 B each 300 kB.
const PORTION: usize = 1_000;
/// Fewer events are read again as cheaply as they are kept.
const WORTH_CACHING: usize = 4;

impl History {
    /// All events of the conversation with seq ≥ `from` that the log has.
    pub async fn tail(&self, conversation: ConversationId, from: Seq) -> Result<Tail, Failure> {
        let from = from.max(1);
        let known = self.tails.get(&conversation).await;
        let mut tail = known.map_or_else(|| CachedTail::nothing(from), |known| known.since(from));
        let room = MAX_TAIL_EVENTS + 1 - tail.entries.len();
        let near = !tail.entries.is_empty();
        let end = self.log.end(conversation, tail.next(), room, near).await?;
        tail.learn(&end.events, &self.unreadable);
        if tail.entries.len() > MAX_TAIL_EVENTS {
            return Err(Failure::TooFarBehind(MAX_TAIL_EVENTS));
        }
        let mut answer: Tail = tail.entries.iter().cloned().collect();
        answer.head = answer.head.max(end.newest);
        if tail.entries.len() >= WORTH_CACHING && !end.events.is_empty() {
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
