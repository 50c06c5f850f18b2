//! Tokens that were sent to users.

use async_trait::async_trait;
use natter_schemas::{event::Timestamp, id::UserId};
use scylla::value::CqlTimestamp;

use super::{
    ScyllaStore,
    columns::{raw, time},
    sessions::ttl,
};
use crate::{OneTimeToken, OneTimeTokenStore, Result, StoreError, TokenHash, TokenPurpose};

/// To take the place of a token while others do the same.
const ATTEMPTS: usize = 3;

type Row = (Option<Vec<u8>>, Option<CqlTimestamp>);

#[async_trait]
impl OneTimeTokenStore for ScyllaStore {
    async fn put_one_time_token(
        &self,
        user: UserId,
        purpose: TokenPurpose,
        token: &OneTimeToken,
        now: Timestamp,
    ) -> Result<()> {
        let (id, s) = (raw(user.as_bytes()), &self.db.statements);
        let (hash, expires_at) = (token.hash.as_slice(), time(token.expires_at));
        let kept = ttl(token.expires_at, now);
        for _ in 0..ATTEMPTS {
            let row = (id, purpose.name(), hash, expires_at, kept);
            if self.db.applied(&s.add_one_time_token, row).await? {
                return Ok(());
            }
            let before = self.db.first::<Row>(&s.one_time_token_serial, (id, purpose.name())).await?;
            // It was taken, or its time to live ended, a moment ago.
            let Some((Some(before), _)) = before else { continue };
            let row = (kept, hash, expires_at, id, purpose.name(), before.as_slice());
            if before == hash || self.db.applied(&s.replace_one_time_token, row).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable("a token is being replaced by others again and again".to_owned()))
    }

    /// A response that is lost on the way takes the token with it: its user requests another.
    async fn take_one_time_token(
        &self,
        user: UserId,
        purpose: TokenPurpose,
        hash: &TokenHash,
    ) -> Result<Option<Timestamp>> {
        let Some(expires_at) = self.find_one_time_token(user, purpose, hash).await? else { return Ok(None) };
        let row = (raw(user.as_bytes()), purpose.name(), hash.as_slice());
        let taken = self.db.applied(&self.db.statements.take_one_time_token, row).await?;
        Ok(taken.then_some(expires_at))
    }

    async fn find_one_time_token(
        &self,
        user: UserId,
        purpose: TokenPurpose,
        hash: &TokenHash,
    ) -> Result<Option<Timestamp>> {
        let row = (raw(user.as_bytes()), purpose.name());
        let found = self.db.first::<Row>(&self.db.statements.one_time_token_serial, row).await?;
        let Some((Some(stored), Some(expires_at))) = found else { return Ok(None) };
        Ok((stored == hash).then_some(Timestamp(expires_at.0)))
    }

    async fn remove_one_time_tokens(&self, user: UserId) -> Result<()> {
        for purpose in TokenPurpose::ALL {
            let row = (raw(user.as_bytes()), purpose.name());
            self.db.applied(&self.db.statements.remove_one_time_token, row).await?;
        }
        Ok(())
    }
}
