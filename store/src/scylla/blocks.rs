//! Who has blocked whom. Written conditionally, for the order that this gives: plain writes would be ordered by the
//! clocks of whichever nodes coordinate them, and a block could lose against its own end.

use std::collections::BTreeSet;

use async_trait::async_trait;
use natter_schemas::{backoff::Backoff, event::Timestamp, id::UserId};
use scylla::value::CqlTimestamp;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    ScyllaStore,
    cluster::{CALL_TIMEOUT, RETRY_MAX, RETRY_MIN},
    columns::{raw, time},
    concurrent::each,
};
use crate::{BlockStore, Result, StoreError};

/// The row of each user's blocks, of no user's id, that every new block changes: `since` is how many were made. It is a row
/// and not a static column because a partition that has only that is a row without `other` to versions that select no more
/// than before; this one they take for a block of a user who does not exist.
const COUNT: Uuid = Uuid::nil();

/// `other` and `since`.
type Row = (Uuid, Option<CqlTimestamp>);

#[async_trait]
impl BlockStore for ScyllaStore {
    async fn block(&self, user: UserId, other: UserId, at: Timestamp, most: usize) -> Result<bool> {
        let (user, other) = (raw(user.as_bytes()), raw(other.as_bytes()));
        let fits = self.add(user, other, at, most).await?;
        if fits {
            self.show_to(other, user).await?;
        }
        Ok(fits)
    }

    async fn unblock(&self, user: UserId, other: UserId) -> Result<()> {
        let (user, other) = (raw(user.as_bytes()), raw(other.as_bytes()));
        // Whether it is applied does not matter: the row is gone either way.
        self.db.applied(&self.db.statements.delete_block, (user, other)).await?;
        self.show_to(other, user).await
    }

    async fn blocks_of(&self, user: UserId) -> Result<Vec<UserId>> {
        let rows: Vec<Row> = self.db.all(&self.db.statements.blocks, (raw(user.as_bytes()),)).await?;
        let blocks = rows.into_iter().filter(|(other, _)| *other != COUNT);
        let mut blocks: Vec<_> = blocks.map(|(o, at)| (at.map(|at| at.0), UserId::from_uuid(o))).collect();
        blocks.sort();
        Ok(blocks.into_iter().map(|(_, other)| other).collect())
    }

    async fn blockers(&self, user: UserId, after: Option<UserId>, most: usize) -> Result<Vec<UserId>> {
        // The zero id comes before every other.
        let after = after.map_or(Uuid::nil(), |after| raw(after.as_bytes()));
        let key = (raw(user.as_bytes()), after);
        let user = |(user,): (Uuid,)| Ok(Some(UserId::from_uuid(user)));
        self.db.scan(&self.db.statements.blockers, key, most, user).await
    }

    async fn blocked_with(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        let s = &self.db.statements;
        let (user, others) = (raw(user.as_bytes()), others.iter().map(|other| raw(other.as_bytes())));
        let others: Vec<Uuid> = others.collect();
        let mut with: BTreeSet<Uuid> = BTreeSet::new();
        for statement in [&s.blocks_among, &s.blockers_among] {
            let rows: Vec<(Uuid,)> = self.db.all(statement, (user, &others)).await?;
            with.extend(rows.into_iter().map(|(other,)| other));
        }
        Ok(with.into_iter().map(UserId::from_uuid).collect())
    }

    async fn blocked_by(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        let found = each(others.to_owned(), |other| async move {
            let key = (raw(other.as_bytes()), raw(user.as_bytes()));
            let row = self.db.first::<(Option<CqlTimestamp>,)>(&self.db.statements.block, key).await?;
            Ok(row.map(|_| other))
        });
        Ok(found.await?.into_iter().flatten().collect())
    }
}

impl ScyllaStore {
    async fn blocks(&self, user: Uuid, other: Uuid) -> Result<bool> {
        let row =
            self.db.first::<(Option<CqlTimestamp>,)>(&self.db.statements.block_serial, (user, other)).await?;
        Ok(row.is_some())
    }

    /// Whether it is there. Two that have counted the same change the same count, which one of them does.
    async fn add(&self, user: Uuid, other: Uuid, at: Timestamp, most: usize) -> Result<bool> {
        let db = &self.db;
        let deadline = Instant::now() + CALL_TIMEOUT;
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
        loop {
            // Also after an attempt whose response got lost.
            if self.blocks(user, other).await? {
                return Ok(true);
            }
            // One more than could be there at the bound, and the count; what is not read then decides nothing.
            let rows: Vec<Row> = db
                .scan(&db.statements.blocks_serial, (user,), most.saturating_add(2), |row| Ok(Some(row)))
                .await?;
            let made = rows.iter().find(|(other, _)| *other == COUNT).and_then(|(_, made)| *made);
            if rows.iter().filter(|(other, _)| *other != COUNT).count() >= most {
                return Ok(false);
            }
            let next = CqlTimestamp(made.map_or(1, |made| made.0.wrapping_add(1)));
            let row = (next, user, COUNT, made, user, other, time(at));
            if db.applied(&db.statements.add_block, row).await? {
                return Ok(true);
            }
            let wait = backoff.next_delay();
            if Instant::now() + wait >= deadline {
                return Err(StoreError::Unavailable("too many calls of one user block others".to_owned()));
            }
            sleep(wait).await;
        }
    }

    /// The other side follows what is here by now, which a concurrent call may have changed again: whoever writes there last
    /// has seen the last state here.
    async fn show_to(&self, other: Uuid, user: Uuid) -> Result<()> {
        let (db, s) = (&self.db, &self.db.statements);
        let mut on = self.blocks(user, other).await?;
        loop {
            let follow = if on { &s.add_blocked_by } else { &s.delete_blocked_by };
            db.applied(follow, (other, user)).await?;
            let now = self.blocks(user, other).await?;
            if now == on {
                return Ok(());
            }
            on = now;
        }
    }
}
