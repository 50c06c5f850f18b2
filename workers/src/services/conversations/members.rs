//! Who is in a group: add, remove, leave, roles. Each change is an event of the group's log.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use natter_schemas::{
    code::Code,
    event::{Kind, LogEntry, Role, Shape},
    id::{ConversationId, EventId, UserId},
    rpc::{AddMembers, RemoveMember, RpcError, SetRole},
};
use natter_store::MemberRow;

use super::{Conversations, consent::Standing, record};
use crate::services::Failure;

/// The field of the request that names people.
const USERS: &str = "userIds";

/// Who changes what, and what is true before the change.
struct GroupChange {
    by: UserId,
    conversation: ConversationId,
    role: Role,
    members: Vec<MemberRow>,
    traceparent: Option<String>,
}

impl GroupChange {
    fn role_of(&self, user: UserId) -> Option<Role> {
        self.members.iter().find(|row| row.member.user == user).map(|row| row.member.role)
    }

    /// The member who owns the group after its owner.
    fn successor(&self) -> Option<UserId> {
        longest_serving(self.members.iter().filter(|row| row.member.user != self.by))
    }
}

/// The longest-serving admin, or else member.
fn longest_serving<'a>(members: impl Iterator<Item = &'a MemberRow> + Clone) -> Option<UserId> {
    let first = members.clone().next();
    let mut admins = members.filter(|row| row.member.role == Role::Admin);
    admins.next().or(first).map(|row| row.member.user)
}

impl Conversations {
    pub(super) async fn add_members(&self, call: AddMembers) -> Result<(), Failure> {
        let AddMembers { by, conversation, users, traceparent } = call;
        if users == [by] && self.standing(conversation, by).await? == Standing::Left {
            return self.rejoin(by, conversation, traceparent).await;
        }
        let change = self.change(by, conversation, traceparent).await?;
        if change.role < Role::Admin {
            return Err(Code::Forbidden.into());
        }
        if users.is_empty() || users.len() > self.limits.participants_per_call {
            return Err(RpcError::invalid(USERS).into());
        }
        let mut seen: HashSet<UserId> = change.members.iter().map(|row| row.member.user).collect();
        let new: Vec<UserId> = users.into_iter().filter(|user| seen.insert(*user)).collect();
        if self.store.users(&new).await?.len() < new.len() || seen.len() > self.limits.participants {
            return Err(RpcError::invalid(USERS).into());
        }
        self.check_additions(by, conversation, &new).await?;
        let kinds = new.into_iter().map(|user| Kind::MemberAdded { user, role: Role::Member }).collect();
        self.record(&change, kinds, super::CONCURRENCY).await
    }

    /// Back into a group that the user left. One that everybody has left belongs to nobody any more.
    async fn rejoin(
        &self,
        by: UserId,
        conversation: ConversationId,
        traceparent: Option<String>,
    ) -> Result<(), Failure> {
        self.check_room(by).await?;
        let members = self.store.members(conversation).await?;
        if members.is_empty() {
            return Err(Code::NotFound.into());
        }
        if members.len() >= self.limits.participants {
            return Err(Code::Conflict.into());
        }
        let change = GroupChange { by, conversation, role: Role::Member, members, traceparent };
        self.record(&change, vec![Kind::MemberAdded { user: by, role: Role::Member }], 1).await?;
        self.keep_owned(&change).await
    }

    pub(super) async fn remove_member(&self, call: RemoveMember) -> Result<(), Failure> {
        let RemoveMember { by, conversation, user, traceparent } = call;
        let change = self.change(by, conversation, traceparent).await?;
        let target_role = change.role_of(user).ok_or(Code::NotFound)?;
        if user != by && (change.role < Role::Admin || target_role >= change.role) {
            return Err(Code::Forbidden.into());
        }
        let mut kinds = Vec::new();
        if target_role == Role::Owner
            && let Some(successor) = change.successor()
        {
            kinds.push(Kind::RoleChanged { user: successor, role: Role::Owner });
        }
        kinds.push(Kind::MemberRemoved { user });
        self.record(&change, kinds, 1).await?;
        self.keep_owned(&change).await
    }

    pub(super) async fn set_role(&self, call: SetRole) -> Result<(), Failure> {
        let SetRole { by, conversation, user, role, traceparent } = call;
        let change = self.change(by, conversation, traceparent).await?;
        let target_role = change.role_of(user).ok_or(Code::NotFound)?;
        if change.role != Role::Owner {
            return Err(Code::Forbidden.into());
        }
        if target_role == role {
            return Ok(());
        }
        // A group is never without its owner: who gives the role up names the next one instead.
        if user == by {
            return Err(Code::Conflict.into());
        }
        let mut kinds = vec![Kind::RoleChanged { user, role }];
        if role == Role::Owner {
            kinds.push(Kind::RoleChanged { user: by, role: Role::Admin });
        }
        self.record(&change, kinds, 1).await?;
        self.keep_owned(&change).await
    }

    /// Only groups change, and only by their members.
    async fn change(
        &self,
        by: UserId,
        conversation: ConversationId,
        traceparent: Option<String>,
    ) -> Result<GroupChange, Failure> {
        let membership = self.store.membership(conversation, by).await?.ok_or(Code::NotFound)?;
        let role = membership.role.ok_or(Code::NotFound)?;
        if membership.shape == Shape::Direct {
            return Err(Code::Forbidden.into());
        }
        let members = self.store.members(conversation).await?;
        Ok(GroupChange { by, conversation, role, members, traceparent })
    }

    /// Publishes changes, `at_once` of them side by side: 1 where their order keeps the group whole at every step.
    async fn record(&self, change: &GroupChange, kinds: Vec<Kind>, at_once: usize) -> Result<(), Failure> {
        let events = stream::iter(kinds).map(|kind| {
            let trace = change.traceparent.clone();
            let event = record::event(EventId::fresh(), change.conversation, change.by, kind, trace);
            async move { self.publish(event).await.map(|appended| appended.entry) }
        });
        let logged: Vec<LogEntry> = events.buffered(at_once).try_collect().await?;
        self.apply(&logged).await
    }

    /// Changes that were made at the same moment may together have left the group without an owner, say when
    /// the member who leaves is being made owner. The call that stored the last change finds that and appoints the next.
    async fn keep_owned(&self, change: &GroupChange) -> Result<(), Failure> {
        let members = self.store.members(change.conversation).await?;
        if members.iter().any(|row| row.member.role == Role::Owner) {
            return Ok(());
        }
        let Some(user) = longest_serving(members.iter()) else { return Ok(()) };
        let (kind, trace) = (Kind::RoleChanged { user, role: Role::Owner }, change.traceparent.clone());
        let event = record::event(EventId::fresh(), change.conversation, change.by, kind, trace);
        let logged = self.publish(event).await?.entry;
        self.apply(std::slice::from_ref(&logged)).await
    }
}
