//! Who has blocked whom. Written conditionally, for the order that this gives: plain writes would be ordered by the
//! clocks of whichever nodes coordinate them, and a block could lose against its own end.

use std::collections::BTreeSet;

use async_trait::async_trait;
use natter_schemas::{event::Timestamp, id::UserId};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::{
    ScyllaStore,
    columns::{raw, time},
    concurrent::each,
};
use crate::{BlockStore, Result};

#[async_trait]
impl BlockStore for ScyllaStore {
    async fn set_block(&self, user: UserId, other: UserId, on: bool, at: Timestamp) -> Result<()> {
        let (db, s) = (&self.db, &self.db.statements);
        let (user, other) = (raw(user.as_bytes()), raw(other.as_bytes()));
        // Whether it is applied does not matter: the row is there, or gone, either way.
        if on {
            db.applied(&s.add_block, (user, other, time(at))).await?;
        } else {
            db.applied(&s.delete_block, (user, other)).await?;
        }
        // The other side follows what is here by now, which a concurrent call may have changed again: whoever writes
        // there last has seen the last state here.
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

    async fn blocks_of(&self, user: UserId) -> Result<Vec<UserId>> {
        type Row = (Uuid, Option<CqlTimestamp>);
        let rows: Vec<Row> = self.db.all(&self.db.statements.blocks, (raw(user.as_bytes()),)).await?;
        let mut blocks: Vec<_> =
            rows.into_iter().map(|(o, at)| (at.map(|at| at.0), UserId::from_uuid(o))).collect();
        blocks.sort();
        Ok(blocks.into_iter().map(|(_, other)| other).collect())
    }

    async fn blocked_with(&self, user: UserId) -> Result<Vec<UserId>> {
        let mut with: BTreeSet<UserId> = self.blocks_of(user).await?.into_iter().collect();
        let by: Vec<(Uuid,)> = self.db.all(&self.db.statements.blocked_by, (raw(user.as_bytes()),)).await?;
        with.extend(by.into_iter().map(|(user,)| UserId::from_uuid(user)));
        Ok(with.into_iter().collect())
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
}
