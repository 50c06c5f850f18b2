//! Whether the user of a call may read its conversation. Edges have checked it; it is checked here again, so that an
//! edge's defect does not give out another's conversation. A member is remembered while CONTROL is followed closely; who
//! is none is looked up each time, because the event that adds a member may have been stored a moment ago.

mod known_members; // remembered until CONTROL ends it
mod follow; // CONTROL, as this process knows it

use std::{sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, try_join_all},
};
use natter_nats::{async_nats::jetstream, service::AccessCheck};
use natter_runtime::sampled::Sampled;
use natter_schemas::{
    code::Code,
    event::{Event, Kind},
    id::{Seq, UserId},
    limits,
    rpc::{RpcError, UserRead},
};
use natter_store::{Store, StoreError};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use self::{follow::Follower, known_members::KnownMembers};
use super::{
    Failure,
    history::{History, Tail},
};

const LOG_EVERY: Duration = Duration::from_mins(1);
/// A store that has not answered by then is away, and the log is asked. What is left of a call's five seconds is its
/// handler's, who may wait for the store as well.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

/// For the calls of the history service.
pub struct MemberCheck {
    store: Arc<dyn Store>,
    history: Arc<History>,
    known: Arc<KnownMembers>,
    refused: Sampled,
}

impl MemberCheck {
    /// Follows CONTROL on `tracker` until `stop` is cancelled.
    pub fn start(
        store: Arc<dyn Store>,
        history: Arc<History>,
        js: jetstream::Context,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let known = Arc::new(KnownMembers::default());
        let follower = Follower::new(js, Arc::clone(&known));
        tracker.spawn(async move {
            stop.run_until_cancelled(Box::pin(follower.run())).await;
        });
        Arc::new(Self { store, history, known, refused: Sampled::once_a(LOG_EVERY) })
    }

    async fn check_all(&self, call: &'static str, reads: &[UserRead]) -> Result<(), RpcError> {
        if reads.len() > limits::LOOKUP_BATCH {
            return Err(Code::Malformed.into());
        }
        try_join_all(reads.iter().map(|read| self.check_one(call, *read))).await?;
        Ok(())
    }

    /// `not_found` for who is no member.
    pub async fn check_one(&self, call: &'static str, read: UserRead) -> Result<(), RpcError> {
        if self.known.contains(read).await {
            return Ok(());
        }
        let removals = self.known.removals(read.user);
        match self.is_member(read).await {
            Ok(true) => {
                self.known.add(read, removals).await;
                Ok(())
            }
            Ok(false) => Err(self.refuse(call, read)),
            Err(failure) => Err(failure.answer(call)),
        }
    }

    fn refuse(&self, call: &'static str, UserRead { user, conversation }: UserRead) -> RpcError {
        metrics::counter!("natter_reads_refused_total", "call" => call).increment(1);
        if let Some(count) = self.refused.due() {
            warn!(
                call, %user, %conversation, count,
                "an edge asked for a conversation on behalf of a user who is not in it; refused. Unless the user was \
                 being removed at that moment, this is a defect of the edge"
            );
        }
        Code::NotFound.into()
    }

    /// By the store, which has a change before edges are notified of it; and by the log, of a member that nothing has
    /// stored yet, and while the store is away.
    async fn is_member(&self, UserRead { user, conversation }: UserRead) -> Result<bool, Failure> {
        // Taken first: the store has everything up to it.
        let floor = self.history.floor(conversation);
        let late = |_| Err(StoreError::Unavailable("no answer about a member in time".to_owned()));
        let stored = timeout(STORE_PATIENCE, self.store.membership(conversation, user));
        let version = match stored.await.unwrap_or_else(late) {
            Ok(Some(membership)) if membership.role.is_some() => return Ok(true),
            Ok(former) => former.map_or(0, |membership| membership.version),
            Err(away @ StoreError::Unavailable(_)) => {
                let log = self.history.tail(conversation, 1).await?;
                let no_other = log.is_whole().then_some(false);
                return standing(&log, user, 0).or(no_other).ok_or_else(|| away.into());
            }
            Err(error) => return Err(error.into()),
        };
        let log = self.history.tail(conversation, floor + 1).await?;
        Ok(standing(&log, user, version).unwrap_or(false))
    }
}

impl AccessCheck for MemberCheck {
    fn check<'a>(&'a self, call: &'static str, reads: &'a [UserRead]) -> BoxFuture<'a, Result<(), RpcError>> {
        self.check_all(call, reads).boxed()
    }
}

/// Whether the newest event about the user's membership makes a member; `None`: there is none after that seq.
fn standing(log: &Tail, user: UserId, after: Seq) -> Option<bool> {
    log.iter().rev().take_while(|logged| logged.seq > after).find_map(|logged| present(&logged.event, user))
}

fn present(event: &Event, user: UserId) -> Option<bool> {
    match &event.kind {
        Kind::Created { members, .. } => members.iter().any(|member| member.user == user).then_some(true),
        Kind::MemberAdded { user: who, .. } | Kind::RoleChanged { user: who, .. } => {
            (*who == user).then_some(true)
        }
        Kind::MemberRemoved { user: who } => (*who == user).then_some(false),
        Kind::Posted { .. }
        | Kind::Edited { .. }
        | Kind::Deleted { .. }
        | Kind::Reacted { .. }
        | Kind::Renamed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        event::{LogEntry, Member, Role, Shape, Timestamp},
        id::{ConversationId, EventId},
    };

    use super::*;

    fn log(kinds: impl IntoIterator<Item = Kind>) -> Tail {
        let conversation = ConversationId::fresh();
        let entry = |(seq, kind)| {
            let (id, author, device, at) = (EventId::fresh(), UserId::fresh(), String::new(), Timestamp(0));
            let event =
                Event { id, conversation, author, device, client_id: None, at, kind, traceparent: None };
            LogEntry { seq, event }
        };
        (1..).zip(kinds).map(entry).collect::<Vec<_>>().into()
    }

    #[test]
    fn the_newest_event_about_a_user_decides() {
        let (owner, came, went, never) = (UserId::fresh(), UserId::fresh(), UserId::fresh(), UserId::fresh());
        let members =
            vec![Member { user: owner, role: Role::Owner }, Member { user: went, role: Role::Member }];
        let log = log([
            Kind::Created { shape: Shape::Group, name: None, members },
            Kind::MemberRemoved { user: went },
            Kind::MemberAdded { user: came, role: Role::Member },
            Kind::RoleChanged { user: owner, role: Role::Admin },
        ]);
        let of = |user, after| standing(&log, user, after);
        assert_eq!((of(owner, 0), of(came, 0)), (Some(true), Some(true)));
        assert_eq!((of(went, 0), of(never, 0)), (Some(false), None));
        // What the store knows already is newer.
        assert_eq!((of(came, 2), of(came, 3), of(went, 2)), (Some(true), None, None));
    }
}
