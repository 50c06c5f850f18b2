use std::collections::HashMap;

use natter_nats::log::Portion;
use natter_schemas::{
    event::{Kind, LogEntry, Timestamp},
    id::Seq,
    limits,
    rpc::{EventsAfter, Replay, ReplayPart, RoomEventsAfter},
};

use super::{History, Tail};
use crate::{readable_rows, services::Failure};

/// Positions below the floor that are looked for in the log first. To find one far back, the server reads blocks of
/// the log from its disk, and who publishes waits for it.
const NEAR_THE_FLOOR: Seq = 20_000;
/// Held of the log or the store at once, of each replay under way.
const PORTION: Portion = Portion { events: 500, bytes: 256 * 1024 };
/// The same in rows: of the biggest events 288 KiB.
const ROWS: usize = 32;
/// Replays under way: with their answers 16 MiB at most. Others wait; each takes some milliseconds.
pub const AT_ONCE: usize = 32;

impl History {
    pub(super) async fn after(&self, call: EventsAfter) -> Result<Replay, Failure> {
        self.part_after(call.part).await
    }

    pub(super) async fn room_after(&self, call: RoomEventsAfter) -> Result<Replay, Failure> {
        self.part_after(call.part).await
    }

    /// If the log holds the event at the position, it holds everything after it too, and the store is not
    /// asked. Otherwise, and from far below the floor, rows up to the floor, then the log.
    async fn part_after(&self, call: ReplayPart) -> Result<Replay, Failure> {
        let turn = self.replays.acquire().await;
        let _turn = turn.map_err(|_| Failure::Broken("replays have ended"))?;
        let call = ReplayPart { limit: call.limit.clamp(1, limits::RESUME_EVENTS), ..call };
        let floor = self.floor(call.conversation);
        let mut stored = None;
        if floor.saturating_sub(call.after) > NEAR_THE_FLOOR {
            match self.after_in_store(call, floor).await {
                // The log may have what the store cannot read.
                away @ Err(Failure::Store(_)) => stored = Some(away),
                answer => return answer,
            }
        }
        if let Some(replay) = self.after_in_log(call, floor).await? {
            return self.replay(call, replay).await;
        }
        match stored {
            Some(away) => away,
            None => self.after_in_store(call, floor).await,
        }
    }

    /// `None`: the log does not reach back to the position.
    async fn after_in_log(&self, call: ReplayPart, floor: Seq) -> Result<Option<ReplayBuilder>, Failure> {
        let ReplayPart { conversation, after, .. } = call;
        let mut replay = ReplayBuilder::new(call);
        let mut next = after.max(1);
        loop {
            let part = self.log.end(conversation, next, PORTION, next > after.max(1)).await?;
            let tail = Tail::of(&part.events, &self.unreadable);
            if next == after.max(1) {
                replay.anchored = after > 0 && tail.first == Some(after);
                if !replay.anchored && after < floor && !tail.is_whole() {
                    return Ok(None);
                }
            }
            next = part.events.last().map_or(next, |last| last.seq + 1);
            tail.iter().for_each(|logged| replay.add(logged));
            if !part.cut || replay.more() {
                return Ok(Some(replay));
            }
            next = replay.skip_to(next);
        }
    }

    async fn after_in_store(&self, call: ReplayPart, floor: Seq) -> Result<Replay, Failure> {
        let ReplayPart { conversation, after, .. } = call;
        let mut replay = ReplayBuilder::new(call);
        let mut next = after;
        while !replay.more() && next <= floor {
            let rows = readable_rows::read(&*self.store, conversation, (next, floor), ROWS);
            let rows = self.in_time(rows).await?;
            rows.events.iter().for_each(|logged| replay.add(logged));
            match rows.events.last() {
                Some(last) if rows.events.len() >= ROWS => next = replay.skip_to(last.seq + 1),
                _ => break,
            }
        }
        let mut next = replay.skip_to(floor + 1);
        while !replay.more() {
            let part = self.log.end(conversation, next, PORTION, false).await?;
            next = part.events.last().map_or(next, |last| last.seq + 1);
            Tail::of(&part.events, &self.unreadable).iter().for_each(|logged| replay.add(logged));
            if !part.cut {
                break;
            }
            next = replay.skip_to(next);
        }
        self.replay(call, replay).await
    }

    async fn replay(&self, call: ReplayPart, replay: ReplayBuilder) -> Result<Replay, Failure> {
        let (more, last) = (replay.more(), replay.last);
        let head = if more {
            self.head_from(call, last).await?
        } else {
            self.end(call, replay.anchored, last).await?
        };
        Ok(replay.finish(head.max(call.scanned)))
    }

    async fn head_from(&self, call: ReplayPart, last: Seq) -> Result<Seq, Failure> {
        let heads = self.heads_of(&[call.conversation]).await?;
        Ok(heads.get(&call.conversation).copied().unwrap_or(0).max(last))
    }

    /// Everything that follows was seen: the head is the last event, or the position itself if nothing followed.
    async fn end(&self, call: ReplayPart, anchored: bool, last: Seq) -> Result<Seq, Failure> {
        match (last, anchored) {
            (0, true) => Ok(call.after),
            // Nothing at the position and nothing after it: the conversation ends before it.
            (0, false) => Ok(self.head_from(call, 0).await?.min(call.after)),
            (last, _) => Ok(last),
        }
    }
}

/// A replay made of one event after another. The first are held, as many as fit an answer; those behind them are
/// counted, and looked through for what they delete.
struct ReplayBuilder {
    after: Seq,
    limit: usize,
    scanned: Seq,
    anchored: bool,
    events: Vec<LogEntry>,
    /// Of `events`.
    bytes: usize,
    cut: bool,
    /// Events after the position.
    count: usize,
    /// Seq of the last of them.
    last: Seq,
    deleted: HashMap<Seq, Timestamp>,
}

impl ReplayBuilder {
    fn new(ReplayPart { after, limit, scanned, .. }: ReplayPart) -> Self {
        Self {
            after,
            limit,
            scanned,
            anchored: false,
            events: Vec::new(),
            bytes: 0,
            cut: false,
            count: 0,
            last: 0,
            deleted: HashMap::new(),
        }
    }

    /// Whether more follow the position than may be sent.
    const fn more(&self) -> bool {
        self.count > self.limit
    }

    /// Where to read on: behind what an earlier part has looked through, once this one is full.
    fn skip_to(&self, next: Seq) -> Seq {
        if self.cut { next.max(self.scanned + 1) } else { next }
    }

    /// Of an event later than those before.
    fn add(&mut self, logged: &LogEntry) {
        if logged.seq <= self.after {
            self.anchored |= self.after > 0 && logged.seq == self.after;
            return;
        }
        if self.more() {
            return;
        }
        self.count += 1;
        self.last = logged.seq;
        if let Kind::Deleted { target } = logged.event.kind {
            self.deleted.entry(target).or_insert(logged.event.at);
        }
        let size = size(logged);
        if self.more() || self.cut || (!self.events.is_empty() && self.bytes + size > limits::REPLAY) {
            self.cut = true;
            return;
        }
        self.bytes += size;
        self.events.push(logged.clone());
    }

    fn finish(mut self, head: Seq) -> Replay {
        let more = self.more();
        for logged in &mut self.events {
            if logged.content_of().is_some_and(|target| self.deleted.contains_key(&target)) {
                logged.remove_content();
            }
        }
        let mut deleted: Vec<(Seq, Timestamp)> = self.deleted.into_iter().collect();
        deleted.sort_unstable();
        Replay { events: self.events, deleted, more, cut: self.cut, anchored: self.anchored, head }
    }
}

/// About what an event occupies in an answer, in bytes.
fn size(logged: &LogEntry) -> usize {
    const FIELDS: usize = 128;
    let content = match &logged.event.kind {
        Kind::Posted { body, .. } | Kind::Edited { body, .. } => body.size(),
        Kind::Created { members, .. } => 17 * members.len(),
        Kind::Renamed { name } => name.len(),
        Kind::Reacted { emoji, .. } => emoji.len(),
        Kind::Deleted { .. }
        | Kind::MemberAdded { .. }
        | Kind::MemberRemoved { .. }
        | Kind::RoleChanged { .. } => 0,
    };
    FIELDS + content
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        event::{Body, Event},
        id::{ConversationId, EventId, UserId},
    };

    use super::*;

    fn logged(seq: Seq, kind: Kind) -> LogEntry {
        let (id, conversation, author) = (EventId::fresh(), ConversationId::fresh(), UserId::fresh());
        let (device, client_id, traceparent) = (String::new(), None, None);
        let at = Timestamp(i64::try_from(seq).unwrap());
        LogEntry { seq, event: Event { id, conversation, author, device, client_id, at, kind, traceparent } }
    }

    fn post(seq: Seq, text: &str) -> LogEntry {
        logged(seq, Kind::Posted { body: Body::Plain(text.to_owned()), reply_to: None })
    }

    fn replay(events: &[LogEntry], after: Seq, limit: usize) -> Replay {
        let conversation = ConversationId::fresh();
        let mut replay = ReplayBuilder::new(ReplayPart { conversation, after, limit, scanned: 0 });
        for logged in events {
            replay.add(logged);
        }
        replay.finish(99)
    }

    #[test]
    fn a_replay_is_cut_by_bytes_and_goes_on_behind_its_last_event() {
        let text = "x".repeat(8_000);
        let events: Vec<LogEntry> = (1..=50).map(|seq| post(seq, &text)).collect();
        let (mut after, mut seen) = (0, Vec::new());
        loop {
            let part = replay(&events, after, 500);
            assert!(!part.more && !part.events.is_empty());
            assert!(part.events.iter().map(size).sum::<usize>() <= limits::REPLAY);
            seen.extend(part.events.iter().map(|logged| logged.seq));
            after = seen[seen.len() - 1];
            if !part.cut {
                break;
            }
        }
        assert_eq!(seen, (1..=50).collect::<Vec<_>>());
        assert!(replay(&events, 0, 49).more && !replay(&events, 1, 49).more);
    }

    #[test]
    fn what_a_later_event_deletes_has_no_content_even_if_the_deletion_is_not_in_this_part() {
        let mut events = vec![post(1, "secret"), post(2, "kept"), post(3, "also secret")];
        events.push(logged(4, Kind::Edited { target: 3, body: Body::Plain("secret too".to_owned()) }));
        events.extend((5..40).map(|seq| post(seq, &"x".repeat(8_000))));
        events.push(logged(40, Kind::Deleted { target: 1 }));
        events.push(logged(41, Kind::Deleted { target: 3 }));
        events.push(logged(42, Kind::Deleted { target: 3 }));
        let first = replay(&events, 0, 500);
        assert!(first.cut && first.events.len() < 20);
        assert_eq!(first.deleted, [(1, Timestamp(40)), (3, Timestamp(41))]);
        let bytes = format!("{:?}", postcard::to_allocvec(&first).unwrap());
        assert!(!bytes.contains(&format!("{:?}", b"secret").replace(['[', ']'], "")));
        assert_eq!(first.deleted_at(&first.events[0]), Some(Timestamp(40)));
        assert_eq!(first.deleted_at(&first.events[1]), None);
        assert_eq!(first.deleted_at(&first.events[3]), Some(Timestamp(41)));
        assert_eq!(replay(&events, 40, 500).deleted, [(3, Timestamp(41))]);
    }
}
