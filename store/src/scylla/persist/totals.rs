//! What only moves forward or is counted, written once for the whole batch and not once for each event.

use std::collections::{BTreeMap, BTreeSet};

use natter_schemas::{
    event::{Kind, LogEntry, Timestamp},
    id::{ConversationId, Seq, UserId},
};

use super::plan::{PartitionKey, WritePlan};
use crate::scylla::{
    columns::{bucket, holds, int, latest, newest, raw, time},
    statements::Statements,
};

#[derive(Default)]
pub struct BatchTotals {
    heads: BTreeMap<ConversationId, Seq>,
    activity: BTreeMap<ConversationId, Timestamp>,
    reads: BTreeMap<(ConversationId, UserId), (Seq, Timestamp)>,
    buckets: BTreeSet<(ConversationId, i8, i64)>,
    /// Conversations whose members are no longer who they were.
    membership: BTreeSet<ConversationId>,
}

impl BatchTotals {
    pub fn note(&mut self, LogEntry { seq, event }: &LogEntry) {
        let conversation = event.conversation;
        let head = self.heads.entry(conversation).or_default();
        *head = (*head).max(*seq);
        if event.kind.is_activity() {
            let activity = self.activity.entry(conversation).or_insert(event.at);
            *activity = (*activity).max(event.at);
        }
        let holds = if let Kind::Posted { .. } = event.kind { holds::MESSAGES } else { holds::CHANGES };
        self.buckets.insert((conversation, holds, bucket(*seq)));
        if let Some(reader) = event.marks_read_for() {
            self.read(conversation, reader, (*seq, event.at));
        }
        match event.kind {
            Kind::Created { .. } | Kind::MemberAdded { .. } | Kind::MemberRemoved { .. } => {
                self.membership.insert(conversation);
            }
            Kind::Posted { .. }
            | Kind::Edited { .. }
            | Kind::Deleted { .. }
            | Kind::Reacted { .. }
            | Kind::RoleChanged { .. }
            | Kind::Renamed { .. } => {}
        }
    }

    fn read(&mut self, conversation: ConversationId, user: UserId, to: (Seq, Timestamp)) {
        let read = self.reads.entry((conversation, user)).or_default();
        *read = to.max(*read);
    }

    pub fn memberships_changed(&self) -> BTreeSet<ConversationId> {
        self.membership.clone()
    }

    /// `counts`: members, and the timestamp of that number.
    pub fn derive(self, s: &Statements, rows: &mut WritePlan, counts: Vec<(ConversationId, (i32, Seq))>) {
        for (id, head) in self.heads {
            let row = (newest(head), int(head), raw(id.as_bytes()));
            rows.add(PartitionKey::Conversation(id), &s.move_head, row);
        }
        for (id, at) in self.activity {
            rows.add(
                PartitionKey::Conversation(id),
                &s.note_activity,
                (latest(at), time(at), raw(id.as_bytes())),
            );
        }
        for (id, (members, seen)) in counts {
            rows.add(
                PartitionKey::Conversation(id),
                &s.count_members,
                (newest(seen), members, raw(id.as_bytes())),
            );
        }
        for ((id, user), (seq, at)) in self.reads {
            let row = (newest(seq), int(seq), time(at), raw(id.as_bytes()), raw(user.as_bytes()));
            rows.add(PartitionKey::Conversation(id), &s.read_up_to, row);
        }
        for (id, holds, bucket) in self.buckets {
            rows.add(PartitionKey::Conversation(id), &s.list_bucket, (raw(id.as_bytes()), holds, bucket));
        }
    }
}
