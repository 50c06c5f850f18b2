//! Changes of a group are decided on everything its log has, and stored only if nothing was added meanwhile. Otherwise
//! the log is read and the change decided again: after a message nothing is different, and of two changes that exclude
//! each other the first in the log counts.

use std::{collections::HashSet, time::Duration};

use natter_nats::publisher::PublishError;
use natter_schemas::{
    backoff::Backoff,
    code::Code,
    event::{Event, Kind, LogEntry, Role, Shape, Timestamp},
    id::{ConversationId, EventId, Seq, UserId},
    limits,
    rpc::RpcError,
};
use natter_store::MemberRow;
use tokio::time::{Instant, sleep};

use super::{Conversations, record, view};
use crate::services::Failure;

/// Between attempts, with jitter: about as long as a message takes to be stored. Not much longer, since a conversation that
/// is busy stays so.
const BACKOFF_MIN: Duration = Duration::from_millis(2);
const BACKOFF_MAX: Duration = Duration::from_millis(25);

/// Who wants to change what.
pub struct Request {
    pub by: UserId,
    pub conversation: ConversationId,
    /// By one who is no member any more, to come back.
    pub returns: bool,
    pub traceparent: Option<String>,
}

/// What is true before the change.
pub struct Group {
    /// Of the one who changes it.
    pub role: Role,
    pub members: Vec<MemberRow>,
    /// Who left by themselves above the floor and did not come back.
    pub left: HashSet<UserId>,
    /// The newest event that this includes, in the log; 0: the log has none of it.
    last: Seq,
    /// From where on the log was not read yet.
    next: Seq,
}

impl Group {
    pub fn role_of(&self, user: UserId) -> Option<Role> {
        self.members.iter().find(|row| row.member.user == user).map(|row| row.member.role)
    }

    fn learn(&mut self, logged: &LogEntry) {
        match logged.event.kind {
            Kind::MemberRemoved { user } if user == logged.event.author => drop(self.left.insert(user)),
            Kind::MemberAdded { user, .. } => drop(self.left.remove(&user)),
            _ => {}
        }
        view::change_members(&mut self.members, logged);
    }

    /// Who owns the group after `owner`: the longest-serving admin, or else member.
    pub fn successor(&self, owner: UserId) -> Option<UserId> {
        let mut others = self.members.iter().filter(|row| row.member.user != owner);
        let mut admins = others.clone().filter(|row| row.member.role == Role::Admin);
        admins.next().or(others.next()).map(|row| row.member.user)
    }
}

/// An attempt whose events were not acked: whether they are stored shows in the log.
struct Unanswered {
    last: Seq,
    events: Vec<Event>,
}

impl Conversations {
    /// `decide` gives the change's events, which are stored together or not at all. It is called once per attempt;
    /// each reads only what came since the one before.
    pub(super) async fn change(
        &self,
        request: Request,
        decide: impl Fn(&Group) -> Result<Vec<Kind>, RpcError>,
    ) -> Result<Vec<LogEntry>, Failure> {
        let deadline = Instant::now() + limits::PUBLISH_ATTEMPT;
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        let mut group = self.group_in_store(&request).await?;
        let mut unanswered: Option<Unanswered> = None;
        loop {
            let stored = self.catch_up(&request, &mut group, unanswered.as_ref()).await?;
            if let Some(stored) = stored {
                self.apply(&stored).await?;
                return Ok(stored);
            }
            let again = backoff.failures() > 0;
            let role = group.role_of(request.by).or(request.returns.then_some(Role::Member));
            let decided = role.ok_or(RpcError::from(Code::NotFound)).and_then(|role| {
                group.role = role;
                decide(&group)
            });
            let kinds = match decided {
                // What was allowed before the others' changes is in conflict with them.
                Err(_) if again => return Err(Code::Conflict.into()),
                decided => decided?,
            };
            let same = unanswered.take().filter(|earlier| earlier.last == group.last);
            let events =
                same.map_or_else(|| events(&request, kinds, self.events.now()), |earlier| earlier.events);
            let error = match self
                .events
                .decide_after(group.last, self.history.floor(request.conversation), events.clone())
                .await
            {
                Ok(stored) => {
                    self.apply(&stored).await?;
                    return Ok(stored);
                }
                Err(error) => error,
            };
            let wait = backoff.next_delay();
            if Instant::now() + wait >= deadline {
                return Err(late(error));
            }
            match error {
                PublishError::Moved => metrics::counter!("natter_group_changes_repeated_total").increment(1),
                PublishError::TimedOut => {}
                error => return Err(error.into()),
            }
            // Also after `Moved`: what moved it may be these events, of an attempt before.
            unanswered = Some(Unanswered { last: group.last, events });
            sleep(wait).await;
        }
    }

    /// Only groups change. The floor is taken first: the rows have everything up to it.
    async fn group_in_store(&self, request: &Request) -> Result<Group, Failure> {
        let Request { by, conversation, .. } = *request;
        let membership = self.store.membership(conversation, by).await?.ok_or(Code::NotFound)?;
        if membership.shape == Shape::Direct {
            return Err(Code::Forbidden.into());
        }
        let floor = self.history.floor(conversation);
        let members = self.store.members(conversation).await?;
        Ok(Group { role: Role::Member, members, left: HashSet::new(), last: 0, next: floor + 1 })
    }

    /// Brings the group up to the log's end, however far that is; returns the events of the unanswered attempt if they
    /// are there.
    async fn catch_up(
        &self,
        request: &Request,
        group: &mut Group,
        unanswered: Option<&Unanswered>,
    ) -> Result<Option<Vec<LogEntry>>, Failure> {
        let own = unanswered.and_then(|attempt| attempt.events.first()).map(|event| event.id);
        let mut own_at = None;
        loop {
            let portion = self.history.portion(request.conversation, group.next).await?;
            for logged in portion.events.iter() {
                group.learn(logged);
                own_at = own_at.or((own == Some(logged.event.id)).then_some(logged.seq));
            }
            group.next = portion.next;
            if portion.is_last() {
                group.last = portion.newest.unwrap_or(0);
                break;
            }
        }
        let entry = |(seq, event): (Seq, &Event)| LogEntry { seq, event: event.clone() };
        let events = unanswered.map_or(&[][..], |attempt| attempt.events.as_slice());
        Ok(own_at.map(|first| (first..).zip(events).map(entry).collect()))
    }
}

fn events(request: &Request, kinds: Vec<Kind>, at: Timestamp) -> Vec<Event> {
    let event = |kind| {
        let trace = request.traceparent.clone();
        record::event(EventId::fresh(), request.conversation, request.by, kind, trace, at)
    };
    kinds.into_iter().map(event).collect()
}

/// A group that is too busy to be changed is no conflict: the same request succeeds later.
fn late(error: PublishError) -> Failure {
    if error == PublishError::Moved { Code::Unavailable.into() } else { error.into() }
}
