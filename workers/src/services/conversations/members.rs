//! Who is in a group: add, remove, leave, roles. Each change is an event of the group's log.

use std::{collections::HashSet, net::IpAddr};

use natter_schemas::{
    code::Code,
    event::{Kind, Role},
    id::{ConversationId, UserId},
    rpc::{AddMembers, RemoveMember, RpcError, SetRole},
};

use super::{
    Conversations,
    consent::Standing,
    decide::{Group, Request},
    reserve::Reserved,
};
use crate::services::Failure;

/// The field of the request that names people.
const USERS: &str = "userIds";

impl Conversations {
    pub(super) async fn add_members(&self, call: AddMembers) -> Result<(), Failure> {
        let AddMembers { by, conversation, users, traceparent } = call;
        let request = Request { by, conversation, returns: false, traceparent };
        if users == [by] && self.standing(conversation, by).await? == Standing::Left {
            return self.rejoin(Request { returns: true, ..request }).await;
        }
        let fits = !users.is_empty() && users.len() <= self.limits.participants_per_call;
        let known = if fits { self.store.users(&users).await? } else { Vec::new() };
        let known: Vec<UserId> =
            known.into_iter().filter(|user| !user.is_erased()).map(|user| user.id).collect();
        let reserved = self.additions(by, conversation, &known).await?;
        let known: HashSet<UserId> = known.into_iter().collect();
        let added = self.change(request, |group| {
            if group.role < Role::Admin {
                return Err(Code::Forbidden.into());
            }
            let mut seen: HashSet<UserId> = group.members.iter().map(|row| row.member.user).collect();
            let new: Vec<UserId> = users.iter().copied().filter(|user| seen.insert(*user)).collect();
            let exist = new.iter().all(|user| known.contains(user));
            if !fits || !exist || seen.len() > self.limits.participants {
                return Err(RpcError::invalid(USERS));
            }
            let reserved = reserved.as_ref().map_err(Clone::clone)?;
            if new.iter().any(|user| group.left.contains(user)) {
                return Err(Code::Forbidden.into());
            }
            reserved.allows(&new, self.events.now())?;
            Ok(new.into_iter().map(|user| Kind::MemberAdded { user, role: Role::Member }).collect())
        });
        let added = added.await.map(drop);
        match reserved {
            Ok(reserved) => self.end(reserved, added).await,
            Err(_) => added,
        }
    }

    /// Room for these people, or why they may not be added; those who are in already do not matter. For one who may add
    /// no one nothing is reserved.
    async fn additions(
        &self,
        by: UserId,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<Result<Reserved, RpcError>, Failure> {
        let role = self.store.membership(conversation, by).await?.and_then(|membership| membership.role);
        let users = if role >= Some(Role::Admin) { users } else { &[] };
        match self.check_additions(by, conversation, users).await {
            Ok(reserved) => Ok(Ok(reserved)),
            Err(Failure::Rejected(refused)) => Ok(Err(refused)),
            Err(failure) => Err(failure),
        }
    }

    /// Back into a group that the user left. One that all have left has no members any more.
    async fn rejoin(&self, request: Request) -> Result<(), Failure> {
        let user = request.by;
        let reserved = self.reserve(user, request.conversation, HashSet::from([user])).await?;
        let rejoined = self.change(request, |group| {
            if group.members.is_empty() {
                return Err(Code::NotFound.into());
            }
            if group.role_of(user).is_some() {
                return Ok(Vec::new());
            }
            if group.members.len() >= self.limits.participants {
                return Err(Code::Conflict.into());
            }
            reserved.allows(&[user], self.events.now())?;
            Ok(vec![Kind::MemberAdded { user, role: Role::Member }])
        });
        let rejoined = rejoined.await.map(drop);
        self.end(reserved, rejoined).await
    }

    pub(super) async fn remove_member(
        &self,
        call: RemoveMember,
        client: Option<IpAddr>,
    ) -> Result<(), Failure> {
        let RemoveMember { by, conversation, user, traceparent } = call;
        let request = Request { by, conversation, returns: false, traceparent };
        let stored = self.change(request, |group| remove(group, by, user)).await?;
        self.record(&stored, client).await;
        Ok(())
    }

    pub(super) async fn set_role(&self, call: SetRole, client: Option<IpAddr>) -> Result<(), Failure> {
        let SetRole { by, conversation, user, role, traceparent } = call;
        let request = Request { by, conversation, returns: false, traceparent };
        let stored = self.change(request, |group| set_role(group, by, user, role)).await?;
        self.record(&stored, client).await;
        Ok(())
    }
}

/// An owner who leaves names the next one in the same commit: a group is never without its owner.
fn remove(group: &Group, by: UserId, user: UserId) -> Result<Vec<Kind>, RpcError> {
    let target_role = group.role_of(user).ok_or(Code::NotFound)?;
    if user != by && (group.role < Role::Admin || target_role >= group.role) {
        return Err(Code::Forbidden.into());
    }
    let successor = if target_role == Role::Owner { group.successor(user) } else { None };
    let role_changed = successor.map(|user| Kind::RoleChanged { user, role: Role::Owner });
    Ok(role_changed.into_iter().chain([Kind::MemberRemoved { user }]).collect())
}

fn set_role(group: &Group, by: UserId, user: UserId, role: Role) -> Result<Vec<Kind>, RpcError> {
    let target_role = group.role_of(user).ok_or(Code::NotFound)?;
    if group.role != Role::Owner {
        return Err(Code::Forbidden.into());
    }
    if target_role == role {
        return Ok(Vec::new());
    }
    // A group is never without its owner: who gives the role up names the next one instead.
    if user == by {
        return Err(Code::Conflict.into());
    }
    let mut kinds = vec![Kind::RoleChanged { user, role }];
    if role == Role::Owner {
        kinds.push(Kind::RoleChanged { user: by, role: Role::Admin });
    }
    Ok(kinds)
}
