//! Which conversations there are, and who is in them. A change is validated against the store, published as an event, applied to the store and
//! announced to the members concerned, in this order; whatever a crash leaves undone the persister does, because
//! it finds the same event in the log.

mod blocks; // who wants nothing of whom
mod consent; // whom a user may add
mod reserve; // room for one more conversation
mod rename; // rename
mod decide; // a change of a group, against its log
mod members; // who is in a group
mod list; // a member's conversations, newest activity first
mod open; // a new conversation, or the one two people have
mod record; // an event into the log, the store and every edge
mod recorded; // and what of it the audit log has
mod view; // a conversation as a member sees it

use std::sync::Arc;

use natter_nats::{
    event_log::EventLog,
    log::LogReader,
    publisher::Publisher,
    service::{RpcServer, ServiceError},
};
use natter_runtime::audit::Audit;
use natter_schemas::{
    limits::{self, Limits},
    rpc::{
        AddMembers, Blocks, FindSharingUsers, GetConversation, GetMembership, ListBlockedConversations,
        ListConversations, ListInbox, ListParticipants, Membership, MembershipPage, Memberships,
        OpenConversation, RemoveMember, Rename, SetBlock, SetRole,
    },
};
use natter_store::Store;

use super::{Failure, history::History, person_pages, profiles::Profiles};

/// Conversations looked at side by side for one answer.
const CONCURRENCY: usize = 16;

pub struct Conversations {
    pub store: Arc<dyn Store>,
    pub profiles: Profiles,
    /// Notices to edges.
    pub publisher: Publisher,
    /// Where changes are appended.
    pub events: EventLog,
    pub log: LogReader,
    pub history: Arc<History>,
    pub partitions: u16,
    pub limits: Limits,
    pub audit: Audit,
}

impl Conversations {
    pub async fn serve(self, server: &mut RpcServer) -> Result<(), ServiceError> {
        answer!(server, Arc::new(self), {
            OpenConversation => open,
            GetConversation => get,
            ListConversations => list,
            ListInbox => inbox,
            Rename => rename,
            ListParticipants => list_participants,
            Memberships => memberships,
            GetMembership => access,
            AddMembers => add_members,
            RemoveMember => remove_member(client),
            SetRole => set_role(client),
            FindSharingUsers => sharing,
            SetBlock => set_block,
            Blocks => blocks,
            ListBlockedConversations => blocked,
        });
        Ok(())
    }

    async fn memberships(&self, call: Memberships) -> Result<MembershipPage, Failure> {
        let all = self.store.memberships(call.user).await?;
        let most = limits::MEMBERSHIPS_PER_CALL;
        let (items, has_more) = person_pages::behind(all, |m| m.conversation, call.after, most);
        Ok(MembershipPage { items, has_more })
    }

    async fn access(&self, call: GetMembership) -> Result<Option<Membership>, Failure> {
        Ok(self.store.membership(call.conversation, call.user).await?)
    }
}
