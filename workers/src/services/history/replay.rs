use std::sync::Arc;

use natter_schemas::{
    event::LogEntry,
    id::Seq,
    limits,
    rpc::{EventsAfter, Replay},
};

use super::{History, Tail};
use crate::services::Failure;

/// Positions below the floor that are looked for in the log first. To find one far back, the server reads blocks of
/// the log from its disk, and who publishes waits for it.
const NEAR_THE_FLOOR: Seq = 20_000;

impl History {
    /// If the log holds the event at the position, it holds everything after it too, and the store is not
    /// asked. Otherwise, and from far below the floor, rows up to the floor, then the log.
    pub(super) async fn after(&self, call: EventsAfter) -> Result<Replay, Failure> {
        let call = EventsAfter { limit: call.limit.clamp(1, limits::RESUME_EVENTS), ..call };
        let EventsAfter { conversation, after, limit } = call;
        let floor = self.floor(conversation);
        let mut stored = None;
        if floor.saturating_sub(after) > NEAR_THE_FLOOR {
            match self.after_in_store(call, floor).await {
                // The log may have what the store cannot read.
                away @ Err(Failure::Store(_)) => stored = Some(away),
                answer => return answer,
            }
        }
        let raw = self.log.from(conversation, after.max(1), wanted(limit)).await?;
        let log = Tail::of(&raw, &self.unreadable);
        if (after > 0 && log.first == Some(after)) || after >= floor || log.is_whole() {
            let kept = raw.iter().filter(|event| event.seq > after);
            let more = kept.count() > limit;
            return self.replay(call, log.first == Some(after), owned(log), more).await;
        }
        match stored {
            Some(away) => away,
            None => self.after_in_store(call, floor).await,
        }
    }

    async fn after_in_store(&self, call: EventsAfter, floor: Seq) -> Result<Replay, Failure> {
        let EventsAfter { conversation, after, limit } = call;
        let wanted = wanted(limit);
        let mut events = self.store.events_from(conversation, after, floor, wanted).await?;
        if events.len() < wanted {
            let raw = self.log.from(conversation, floor + 1, wanted - events.len()).await?;
            events.extend(owned(Tail::of(&raw, &self.unreadable)));
        }
        let anchored = after > 0 && events.first().is_some_and(|logged| logged.seq == after);
        let more = events.iter().filter(|logged| logged.seq > after).count() > limit;
        self.replay(call, anchored, events, more).await
    }

    async fn replay(
        &self,
        call: EventsAfter,
        anchored: bool,
        mut events: Vec<LogEntry>,
        more: bool,
    ) -> Result<Replay, Failure> {
        events.retain(|logged| logged.seq > call.after);
        events.truncate(call.limit);
        let last = events.last().map_or(0, |logged| logged.seq);
        let head =
            if more { self.head_from(call, last).await? } else { self.end(call, anchored, last).await? };
        Ok(Replay { events, more, anchored, head })
    }

    async fn head_from(&self, call: EventsAfter, last: Seq) -> Result<Seq, Failure> {
        let heads = self.heads_of(&[call.conversation]).await?;
        Ok(heads.get(&call.conversation).copied().unwrap_or(0).max(last))
    }

    /// The answer has everything: the head is its last event, or the position itself if nothing followed.
    async fn end(&self, call: EventsAfter, anchored: bool, last: Seq) -> Result<Seq, Failure> {
        match (last, anchored) {
            (0, true) => Ok(call.after),
            // Nothing at the position and nothing after it: the conversation ends before it.
            (0, false) => Ok(self.head_from(call, 0).await?.min(call.after)),
            (last, _) => Ok(last),
        }
    }
}

/// The event at the position, the answer, and one more to know whether more follow.
const fn wanted(limit: usize) -> usize {
    limit + 2
}

fn owned(tail: Tail) -> Vec<LogEntry> {
    tail.events.into_iter().map(Arc::unwrap_or_clone).collect()
}
