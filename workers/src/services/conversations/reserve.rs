//! Room for one more conversation. A membership is reserved before its event is in the log and counts from then on, so that
//! requests at the same moment cannot pass the bound together. What a call leaves behind that crashed, or does not know
//! what the log did, is settled once someone has no room: the log has the event or never will.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use natter_schemas::{
    code::Code,
    event::{Kind, LogEntry, Timestamp},
    id::{ConversationId, ReservationId, UserId},
    limits,
};
use natter_store::Reservation;
use tracing::warn;

use super::Conversations;
use crate::services::Failure;

/// Reservations of one user that one call settles: it needs room for one.
const SETTLED_AT_ONCE: usize = 16;

/// These users may become members of the conversation.
pub struct Reserved {
    reservation: Reservation,
    users: HashSet<UserId>,
}

impl Reserved {
    /// `conflict` for one it was not made for: who was a member when it was made, and has been removed meanwhile.
    /// `unavailable` when the call is so late that another may have settled it by the time the log has the event.
    pub fn allows(&self, users: &[UserId], now: Timestamp) -> Result<(), Code> {
        if !users.iter().all(|user| self.users.contains(user)) {
            return Err(Code::Conflict);
        }
        let late = !users.is_empty() && is_older(&self.reservation, now, limits::PUBLISH);
        if late { Err(Code::Unavailable) } else { Ok(()) }
    }
}

fn is_older(reservation: &Reservation, now: Timestamp, than: std::time::Duration) -> bool {
    let than = i64::try_from(than.as_millis()).unwrap_or(i64::MAX);
    now.0.saturating_sub(reservation.at.0) > than
}

impl Conversations {
    /// `conflict` if `by` has no room, `forbidden` if another has none.
    pub(super) async fn reserve(
        &self,
        by: UserId,
        conversation: ConversationId,
        users: HashSet<UserId>,
    ) -> Result<Reserved, Failure> {
        let reservation = Reservation { id: ReservationId::fresh(), conversation, at: self.events.now() };
        let reserved = Reserved { reservation, users };
        let mut full = self.try_reserve(&reserved).await?;
        if !full.is_empty() && self.settle_all(&full).await? {
            full = self.try_reserve(&reserved).await?;
        }
        match full.as_slice() {
            [] => Ok(reserved),
            full if full.contains(&by) => Err(Code::Conflict.into()),
            _ => Err(Code::Forbidden.into()),
        }
    }

    /// Once it is known what became of it: nothing, or memberships that the store has.
    pub(super) async fn end<T>(&self, reserved: Reserved, outcome: Result<T, Failure>) -> Result<T, Failure> {
        let known = match &outcome {
            Ok(_) => true,
            Err(Failure::Rejected(refused)) => refused.code != Code::Unavailable,
            Err(_) => false,
        };
        if known {
            self.release(&reserved).await;
        }
        outcome
    }

    async fn try_reserve(&self, reserved: &Reserved) -> Result<Vec<UserId>, Failure> {
        if reserved.users.is_empty() {
            return Ok(Vec::new());
        }
        let users: Vec<UserId> = reserved.users.iter().copied().collect();
        let full = self.store.reserve(reserved.reservation, &users, self.limits.memberships).await;
        if full.is_err() {
            // Of some of the users, perhaps.
            self.release(reserved).await;
        }
        Ok(full?)
    }

    async fn release(&self, reserved: &Reserved) {
        let users: Vec<UserId> = reserved.users.iter().copied().collect();
        if users.is_empty() {
            return;
        }
        if let Err(error) = self.store.release(reserved.reservation, &users).await {
            let conversation = reserved.reservation.conversation;
            warn!(%conversation, %error, "reserved memberships not released; they count until someone has no room and they are old");
        }
    }

    /// Whether there is more room by it.
    async fn settle_all(&self, users: &[UserId]) -> Result<bool, Failure> {
        let now = self.events.now();
        let settled = stream::iter(users.to_owned()).map(|user| async move {
            let mut left = self.store.reservations(user).await?;
            left.retain(|reservation| is_older(reservation, now, limits::RESERVED_FOR));
            left.truncate(SETTLED_AT_ONCE);
            for reservation in &left {
                self.settle(user, *reservation).await?;
            }
            Ok::<_, Failure>(!left.is_empty())
        });
        let settled: Vec<bool> = settled.buffered(super::CONCURRENCY).try_collect().await?;
        Ok(settled.contains(&true))
    }

    /// What the log has of the membership is stored first: from then on that counts.
    async fn settle(&self, user: UserId, reservation: Reservation) -> Result<(), Failure> {
        let conversation = reservation.conversation;
        let floor = self.history.floor(conversation);
        let mut changes: Vec<LogEntry> = Vec::new();
        let learn = |logged: &LogEntry| {
            if is_about(&logged.event.kind, user) {
                changes.push(logged.clone());
            }
        };
        self.history.each_event(conversation, floor + 1, learn).await?;
        self.apply(&changes).await?;
        Ok(self.store.release(reservation, &[user]).await?)
    }
}

fn is_about(kind: &Kind, user: UserId) -> bool {
    match kind {
        Kind::Created { members, .. } => members.iter().any(|member| member.user == user),
        Kind::MemberAdded { user: who, .. } | Kind::MemberRemoved { user: who } => *who == user,
        Kind::RoleChanged { .. }
        | Kind::Posted { .. }
        | Kind::Edited { .. }
        | Kind::Deleted { .. }
        | Kind::Reacted { .. }
        | Kind::Renamed { .. } => false,
    }
}
