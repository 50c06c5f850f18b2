//! The events after a position, asked for part by part.

use std::collections::BTreeMap;

use natter_nats::service::RpcClient;
use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, Seq, UserId},
    limits,
    rpc::{EventsAfter, Replay, ReplayPart, RoomEventsAfter, RpcError},
};
use natter_seal::DataKeys;

/// Who missed them.
#[derive(Clone, Copy)]
enum MissedBy {
    User(UserId),
    /// Everyone in a room of this edge; this is one of them.
    Room(UserId),
}

pub struct Missed {
    by: MissedBy,
    conversation: ConversationId,
    /// Everything up to here was answered.
    pub after: Seq,
    scanned: Seq,
    /// What was deleted meanwhile, in this part or a later one.
    deleted: BTreeMap<Seq, Timestamp>,
}

impl Missed {
    /// By one user, who was away.
    pub fn by_user(user: UserId, conversation: ConversationId, after: Seq) -> Self {
        Self::new(MissedBy::User(user), conversation, after)
    }

    /// By this edge, for everyone in the room.
    pub fn by_room(member: UserId, conversation: ConversationId, after: Seq) -> Self {
        Self::new(MissedBy::Room(member), conversation, after)
    }

    fn new(by: MissedBy, conversation: ConversationId, after: Seq) -> Self {
        Self { by, conversation, after, scanned: 0, deleted: BTreeMap::new() }
    }

    /// Opened, except for what has no key.
    pub async fn next(&mut self, rpc: &RpcClient, keys: &DataKeys) -> Result<Replay, RpcError> {
        let Self { by, conversation, after, scanned, .. } = *self;
        let part = ReplayPart { conversation, after, limit: limits::RESUME_EVENTS, scanned };
        let (reader, mut replay) = match by {
            MissedBy::User(user) => (user, rpc.call(&EventsAfter { user, part }).await?),
            MissedBy::Room(member) => (member, rpc.by_member(member).call(&RoomEventsAfter { part }).await?),
        };
        keys.for_reader(reader).open_entries(&mut replay.events).await;
        for (target, at) in replay.deleted {
            self.deleted.entry(target).or_insert(at);
        }
        replay.deleted = self.deleted.iter().map(|(target, at)| (*target, *at)).collect();
        self.after = replay.events.last().map_or(after, |last| last.seq);
        self.scanned = replay.head;
        Ok(replay)
    }
}
