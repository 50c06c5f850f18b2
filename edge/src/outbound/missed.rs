//! The events after a position, asked for part by part.

use std::collections::BTreeMap;

use natter_nats::service::RpcClient;
use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, Seq},
    limits,
    rpc::{EventsAfter, Replay, RpcError},
};

pub struct Missed {
    conversation: ConversationId,
    /// Everything up to here was answered.
    pub after: Seq,
    scanned: Seq,
    /// What was deleted meanwhile, in this part or a later one.
    deleted: BTreeMap<Seq, Timestamp>,
}

impl Missed {
    pub fn new(conversation: ConversationId, after: Seq) -> Self {
        Self { conversation, after, scanned: 0, deleted: BTreeMap::new() }
    }

    pub async fn next(&mut self, rpc: &RpcClient) -> Result<Replay, RpcError> {
        let Self { conversation, after, scanned, .. } = *self;
        let request = EventsAfter { conversation, after, limit: limits::RESUME_EVENTS, scanned };
        let mut replay = rpc.call(&request).await?;
        for (target, at) in replay.deleted {
            self.deleted.entry(target).or_insert(at);
        }
        replay.deleted = self.deleted.iter().map(|(target, at)| (*target, *at)).collect();
        self.after = replay.events.last().map_or(after, |last| last.seq);
        self.scanned = replay.head;
        Ok(replay)
    }
}
