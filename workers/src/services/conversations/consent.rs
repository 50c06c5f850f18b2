//! Whom a user may add to a conversation, and who comes back into a group. Every reason to refuse an addition has one
//! answer, so that no one learns from it who has blocked them.

use futures_util::{StreamExt, TryStreamExt, stream};
use natter_schemas::{
    code::Code,
    event::{Kind, Shape},
    id::{ConversationId, Seq, UserId},
    limits::{self, AddBy},
    rpc::{FindSharingUsers, OpenConversation},
};
use natter_store::StoreError;
use tracing::warn;

use super::{Conversations, reserve::Reserved};
use crate::services::Failure;

/// What a user is to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Member,
    /// Was a member, and left by a call of their own.
    Left,
    /// Was never a member, or was removed by another.
    Outside,
}

impl Conversations {
    /// For a conversation that is about to be made.
    pub(super) async fn check_opening(
        &self,
        call: &OpenConversation,
        id: ConversationId,
        others: &[UserId],
    ) -> Result<Reserved, Failure> {
        match call.shape {
            Shape::Direct => self.check_willing(call.creator, others).await?,
            Shape::Group => self.check_addable(call.creator, others).await?,
        }
        let members = others.iter().copied().chain([call.creator]).collect();
        self.reserve(call.creator, id, members).await
    }

    /// For members that are about to be added to a group. Who left it comes back by a call of their own only:
    /// otherwise leaving would end nothing.
    pub(super) async fn check_additions(
        &self,
        by: UserId,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<Reserved, Failure> {
        let standings = stream::iter(users.to_owned()).map(|user| self.standing(conversation, user));
        let standings: Vec<Standing> = standings.buffered(super::CONCURRENCY).try_collect().await?;
        if standings.contains(&Standing::Left) {
            return Err(Code::Forbidden.into());
        }
        let new = users.iter().zip(standings).filter(|(_, standing)| *standing == Standing::Outside);
        let new: Vec<UserId> = new.map(|(user, _)| *user).collect();
        self.check_addable(by, &new).await?;
        self.reserve(by, conversation, new.into_iter().collect()).await
    }

    async fn check_addable(&self, by: UserId, users: &[UserId]) -> Result<(), Failure> {
        self.check_willing(by, users).await?;
        if self.limits.add_by == AddBy::Shared {
            let known = self.sharing_with(by, users).await?;
            if users.iter().any(|user| !known.contains(user)) {
                return Err(Code::Forbidden.into());
            }
        }
        Ok(())
    }

    /// None of them has blocked `by`.
    async fn check_willing(&self, by: UserId, users: &[UserId]) -> Result<(), Failure> {
        let blocked = self.store.blocked_by(by, users).await?;
        if blocked.is_empty() { Ok(()) } else { Err(Code::Forbidden.into()) }
    }

    pub(super) async fn standing(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Standing, Failure> {
        let Some(membership) = self.store.membership(conversation, user).await? else {
            return Ok(Standing::Outside);
        };
        match membership.role {
            Some(_) => Ok(Standing::Member),
            None if self.left(conversation, user, membership.version).await? => Ok(Standing::Left),
            None => Ok(Standing::Outside),
        }
    }

    /// Whether the event that ended the membership is the user's own.
    async fn left(&self, conversation: ConversationId, user: UserId, ended: Seq) -> Result<bool, Failure> {
        match self.store.events_from(conversation, ended, ended, 1).await {
            Ok(events) => Ok(events.first().is_some_and(|logged| {
                logged.event.author == user
                    && matches!(logged.event.kind, Kind::MemberRemoved { user: removed } if removed == user)
            })),
            // What cannot be read proves no wish: others may add the user again.
            Err(StoreError::Corrupt(error)) => {
                warn!(%conversation, %user, seq = ended, error, "the end of a membership cannot be read");
                Ok(false)
            }
            Err(away) => Err(away.into()),
        }
    }

    pub(super) async fn sharing(&self, call: FindSharingUsers) -> Result<Vec<UserId>, Failure> {
        self.sharing_with(call.user, &call.others).await
    }

    /// Those of `others` with whom the user shares a conversation. A direct one that either of them has blocked is closed
    /// and does not count: then it takes a group. Whom a bounded look-up does not find is a stranger.
    async fn sharing_with(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>, Failure> {
        let blocked = self.store.blocked_with(user, others).await?;
        let (closed, open): (Vec<UserId>, Vec<UserId>) =
            others.iter().partition(|other| blocked.contains(other));
        let most = limits::SHARING_ROWS;
        let mut found = self.store.sharing(user, &open, None, most).await?;
        if !closed.is_empty() {
            found.extend(self.store.sharing(user, &closed, Some(Shape::Group), most).await?);
        }
        Ok(found)
    }
}
