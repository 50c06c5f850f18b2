//! Who is about to become a member. A user's reservations are one partition, with a cell that each of them replaces: a
//! reservation is made on condition that none was made since the memberships were counted.

use std::collections::HashSet;

use async_trait::async_trait;
use natter_schemas::{
    backoff::Backoff,
    event::Timestamp,
    id::{ConversationId, ReservationId, UserId},
};
use scylla::value::CqlTimestamp;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    ScyllaStore,
    cluster::{CALL_TIMEOUT, Cluster, RETRY_MAX, RETRY_MIN},
    columns::{raw, time},
    concurrent::each,
    members,
};
use crate::{Reservation, ReservationStore, Result, StoreError};

#[async_trait]
impl ReservationStore for ScyllaStore {
    async fn reserve(&self, reservation: Reservation, users: &[UserId], most: usize) -> Result<Vec<UserId>> {
        let db = &self.db;
        let reserved =
            each(
                users.to_owned(),
                |user| async move { Ok((user, reserve(db, reservation, user, most).await?)) },
            );
        let (reserved, full): (Vec<_>, Vec<_>) = reserved.await?.into_iter().partition(|(_, fits)| *fits);
        let ids = |list: Vec<(UserId, bool)>| list.into_iter().map(|(user, _)| user).collect::<Vec<_>>();
        if !full.is_empty() {
            self.release(reservation, &ids(reserved)).await?;
        }
        Ok(ids(full))
    }

    async fn release(&self, reservation: Reservation, users: &[UserId]) -> Result<()> {
        let (db, s) = (&self.db, &self.db.statements);
        let (conversation, id) = (raw(reservation.conversation.as_bytes()), raw(reservation.id.as_bytes()));
        each(users.to_owned(), |user| async move {
            db.applied(&s.release, (raw(user.as_bytes()), conversation, id)).await
        })
        .await
        .map(drop)
    }

    async fn reservations(&self, user: UserId) -> Result<Vec<Reservation>> {
        let mut all = read(&self.db, user).await?.1;
        all.sort_unstable_by_key(|of| (of.at, of.conversation, of.id));
        Ok(all)
    }
}

/// Whether there is room for it.
async fn reserve(db: &Cluster, reservation: Reservation, user: UserId, most: usize) -> Result<bool> {
    let Reservation { id, conversation, at } = reservation;
    let deadline = Instant::now() + CALL_TIMEOUT;
    let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
    loop {
        let (decided, others) = read(db, user).await?;
        // The response of an attempt may have got lost.
        if others.contains(&reservation) {
            return Ok(true);
        }
        // After the reservations: one that is gone from them is among the memberships by now.
        let mut taken: HashSet<ConversationId> = members::joined(db, user).await?;
        taken.extend(others.iter().map(|other| other.conversation));
        taken.remove(&conversation);
        if taken.len() >= most {
            return Ok(false);
        }
        let (user, id, room) = (raw(user.as_bytes()), raw(id.as_bytes()), raw(conversation.as_bytes()));
        let row = (id, user, decided, user, room, id, time(at));
        if db.applied(&db.statements.reserve, row).await? {
            return Ok(true);
        }
        let wait = backoff.next_delay();
        if Instant::now() + wait >= deadline {
            return Err(StoreError::Unavailable("too many calls add the same user".to_owned()));
        }
        sleep(wait).await;
    }
}

/// What the user's newest one was decided by, and all that are there. A serial read: it sees every one that may still be
/// under way.
async fn read(db: &Cluster, user: UserId) -> Result<(Option<Uuid>, Vec<Reservation>)> {
    type Row = (Option<Uuid>, Option<Uuid>, Option<Uuid>, Option<CqlTimestamp>);
    let rows: Vec<Row> = db.all(&db.statements.reservations_serial, (raw(user.as_bytes()),)).await?;
    let decided = rows.first().and_then(|row| row.0);
    let reservation = |(_, conversation, id, at): Row| {
        let (conversation, id) = (ConversationId::from_uuid(conversation?), ReservationId::from_uuid(id?));
        Some(Reservation { id, conversation, at: Timestamp(at?.0) })
    };
    Ok((decided, rows.into_iter().filter_map(reservation).collect()))
}
