use std::collections::BTreeSet;

use natter_schemas::{
    code::Code,
    id::{ConversationId, UserId, direct_conversation},
    limits,
    rpc::{Blocks, ConversationIdPage, ListBlockedConversations, RpcError, SetBlock, UserPage},
};
use natter_store::MemberRow;
use tracing::warn;

use super::Conversations;
use crate::{
    control,
    services::{Failure, person_pages},
};

impl Conversations {
    pub(super) async fn set_block(&self, call: SetBlock) -> Result<(), Failure> {
        let SetBlock { user, other, on } = call;
        if user == other {
            return Err(RpcError::invalid("userId").into());
        }
        self.store.users(&[other]).await?.pop().ok_or(Code::NotFound)?;
        if !on {
            self.store.unblock(user, other).await?;
        } else if !self.store.block(user, other, self.events.now(), self.limits.blocks).await? {
            return Err(Code::Conflict.into());
        }
        let conversation = direct_conversation(user, other);
        if let Err(error) =
            control::publish_block_changed(&self.publisher, [user, other], conversation, !on).await
        {
            // Edges that missed it learn it when they load either of the two again.
            warn!(%conversation, %error, "block stored, but not sent to all edges; the request fails and can be repeated");
            return Err(error.into());
        }
        Ok(())
    }

    pub(super) async fn blocks(&self, call: Blocks) -> Result<UserPage, Failure> {
        let users = self.store.blocks_of(call.user).await?;
        let shown = person_pages::range(&users, call.after, call.limit);
        let next = person_pages::next(&users, &shown);
        Ok(UserPage { items: users[shown].to_vec(), next })
    }

    pub(super) async fn blocked(
        &self,
        call: ListBlockedConversations,
    ) -> Result<ConversationIdPage, Failure> {
        let most = limits::MEMBERSHIPS_PER_CALL;
        let id = |other| direct_conversation(call.user, other);
        let mut ids: BTreeSet<ConversationId> =
            self.store.blocks_of(call.user).await?.into_iter().map(id).collect();
        keep_behind(&mut ids, call.after, most);
        // Who has blocked the user are any number: of these, too, no more are held than the answer has.
        let mut last = None;
        loop {
            let users = self.store.blockers(call.user, last, limits::BLOCKERS_AT_ONCE).await?;
            last = users.last().copied();
            ids.extend(users.iter().map(|user| id(*user)));
            keep_behind(&mut ids, call.after, most);
            if users.len() < limits::BLOCKERS_AT_ONCE {
                break;
            }
        }
        let has_more = ids.len() > most;
        Ok(ConversationIdPage { items: ids.into_iter().take(most).collect(), has_more })
    }

    /// In a direct conversation that either side has blocked, a member does not see how far the other has read.
    pub(super) async fn hide_read_mark(
        &self,
        user: UserId,
        conversation: ConversationId,
        members: &mut [MemberRow],
    ) -> Result<(), Failure> {
        let Some(row) = members.iter_mut().find(|row| row.member.user != user) else { return Ok(()) };
        let other = row.member.user;
        if conversation == direct_conversation(user, other) && self.is_closed(user, other).await? {
            row.read = 0;
        }
        Ok(())
    }

    /// Either of the two has blocked the other.
    pub(super) async fn is_closed(&self, user: UserId, other: UserId) -> Result<bool, Failure> {
        let by_other = self.store.blocked_by(user, &[other]).await?;
        Ok(!by_other.is_empty() || !self.store.blocked_by(other, &[user]).await?.is_empty())
    }
}

/// Of those behind `after`, the first `most` and one that says that there are more.
fn keep_behind(ids: &mut BTreeSet<ConversationId>, after: Option<ConversationId>, most: usize) {
    if let Some(after) = after {
        *ids = ids.split_off(&after);
        ids.remove(&after);
    }
    while ids.len() > most + 1 {
        ids.pop_last();
    }
}
