use std::collections::HashSet;

use natter_nats::event_log::Appended;
use natter_schemas::{
    code::Code,
    event::{Kind, LogEntry, Member, Role, Shape},
    id::{ConversationId, UserId, direct_conversation, keyed_group, opening_event},
    limits::Limits,
    rest::check,
    rpc::{GetConversation, OpenConversation, OpenedConversation, RpcError},
};

use super::{Conversations, record, reserve::Reserved};
use crate::services::Failure;

/// The field of the request that names people.
const PARTICIPANTS: &str = "participantIds";

impl Conversations {
    pub(super) async fn open(&self, call: OpenConversation) -> Result<OpenedConversation, Failure> {
        let others = others(&call, &self.limits)?;
        let name = match call.shape {
            Shape::Direct => None,
            Shape::Group => name(call.name.clone(), &self.limits)?,
        };
        self.all_exist(call.creator, &others).await?;
        let id = match (call.shape, others.as_slice(), &call.key) {
            (Shape::Direct, [other], _) => direct_conversation(call.creator, *other),
            (_, _, Some(key)) => keyed_group(call.creator, key),
            _ => ConversationId::fresh(),
        };
        let may_exist = call.shape == Shape::Direct || call.key.is_some();
        if let (Shape::Direct, [other]) = (call.shape, others.as_slice())
            && self.is_closed(call.creator, *other).await?
        {
            return Err(Code::Forbidden.into());
        }
        let kind =
            Kind::Created { shape: call.shape, name, members: members(call.shape, call.creator, &others) };
        if may_exist && self.exists(id).await? {
            let first = self.store.find_event(id, opening_event(id)).await?;
            check_same(call.shape, first.as_ref(), &kind)?;
            return self.opened(call.creator, id, true).await;
        }
        let reserved = self.check_opening(&call, id, &others).await?;
        let opened = self.open_new(call, id, kind, &reserved).await;
        self.end(reserved, opened).await
    }

    async fn open_new(
        &self,
        call: OpenConversation,
        id: ConversationId,
        kind: Kind,
        reserved: &Reserved,
    ) -> Result<OpenedConversation, Failure> {
        let OpenConversation { creator, shape, traceparent, .. } = call;
        let now = self.events.now();
        reserved.allows(&[creator], now)?;
        let event = record::event(opening_event(id), id, creator, kind.clone(), traceparent, now);
        let Appended { entry: logged, duplicate: existed } = self.publish(event).await?;
        self.apply(std::slice::from_ref(&logged)).await?;
        check_same(shape, Some(&logged), &kind)?;
        self.opened(creator, id, existed).await
    }

    /// In the store, or in the log only because the process that opened it crashed before it was stored. The log forgets
    /// ids after minutes, so a second opening could otherwise be logged behind the first.
    async fn exists(&self, id: ConversationId) -> Result<bool, Failure> {
        if self.store.conversation(id).await?.is_some() {
            return Ok(true);
        }
        let first = self.log.from(id, 1, 1).await?;
        let Some(Ok(first)) = first.first().map(natter_nats::log::RawEvent::decode) else { return Ok(false) };
        self.heal(&first).await
    }

    async fn heal(&self, first: &LogEntry) -> Result<bool, Failure> {
        let created = matches!(first.event.kind, Kind::Created { .. });
        if created {
            self.apply(std::slice::from_ref(first)).await?;
        }
        Ok(created)
    }

    async fn opened(
        &self,
        user: UserId,
        conversation: ConversationId,
        existed: bool,
    ) -> Result<OpenedConversation, Failure> {
        let membership = self.store.membership(conversation, user).await?;
        let membership = membership.ok_or(Failure::Broken("opened, but not a member"))?;
        let conversation = self.get(GetConversation { user, conversation }).await?;
        Ok(OpenedConversation { conversation, membership, existed })
    }

    async fn all_exist(&self, creator: UserId, others: &[UserId]) -> Result<(), Failure> {
        let found: HashSet<UserId> = self
            .store
            .users(others)
            .await?
            .into_iter()
            .filter(|user| !user.is_erased())
            .map(|user| user.id)
            .collect();
        if others.iter().any(|user| !found.contains(user)) {
            return Err(RpcError::invalid(PARTICIPANTS).into());
        }
        // A token outlives its user only if the user was removed by hand.
        self.store.users(&[creator]).await?.pop().ok_or(Code::Unauthenticated)?;
        Ok(())
    }
}

/// One key names one group as it was made. Two people have one conversation, whoever opened it.
fn check_same(shape: Shape, first: Option<&LogEntry>, asked: &Kind) -> Result<(), RpcError> {
    let differs = first.is_some_and(|first| first.event.kind != *asked);
    if shape == Shape::Group && differs { Err(Code::IdempotencyMismatch.into()) } else { Ok(()) }
}

/// The participants besides the creator, each once, in the order given.
fn others(call: &OpenConversation, limits: &Limits) -> Result<Vec<UserId>, RpcError> {
    if call.participants.len() > limits.participants_per_call {
        return Err(RpcError::invalid(PARTICIPANTS));
    }
    let with_oneself = call.participants.contains(&call.creator);
    let mut seen = HashSet::from([call.creator]);
    let others: Vec<UserId> = call.participants.iter().copied().filter(|user| seen.insert(*user)).collect();
    let allowed = match call.shape {
        Shape::Direct => others.len() == 1 && !with_oneself,
        // The creator is a member, too.
        Shape::Group => !call.participants.is_empty() && others.len() < limits.participants,
    };
    if allowed { Ok(others) } else { Err(RpcError::invalid(PARTICIPANTS)) }
}

fn name(name: Option<String>, limits: &Limits) -> Result<Option<String>, RpcError> {
    let normalized = name.map(|name| check::normalized_name(&name, limits)).transpose();
    normalized.map_err(|_| RpcError::invalid("name"))
}

/// A group belongs to its creator; the two members of a direct conversation are equal.
fn members(shape: Shape, creator: UserId, others: &[UserId]) -> Vec<Member> {
    let role = match shape {
        Shape::Direct => Role::Member,
        Shape::Group => Role::Owner,
    };
    let others = others.iter().map(|user| Member { user: *user, role: Role::Member });
    std::iter::once(Member { user: creator, role }).chain(others).collect()
}
