//! Log-ins and their refresh tokens.
//!
//! A session names the one token that can be exchanged; exchanging it is one conditional write on the session.
//! A token says only which session it belongs to, so a spent one is recognized by not being named.

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::{
    ScyllaStore,
    accounts::credentials_of,
    cluster::Cluster,
    columns::{raw, time},
    concurrent::each,
};
use crate::{AddSession, NewSession, Renewal, Result, SessionStore, TokenHash};

/// Seconds that rows stay after they have expired: clock skew must not remove what is still valid.
const EXPIRED_KEPT: i64 = 86_400;
/// CQL's limit, in seconds: 20 years.
const TTL_MAX: i64 = 630_720_000;

/// For removal only: whether a session has expired is decided by the caller's clock and the row's own time.
fn ttl(expires_at: Timestamp) -> i32 {
    let left = expires_at.0.saturating_sub(Timestamp::now().0) / 1_000;
    let seconds = left.max(0).saturating_add(EXPIRED_KEPT).min(TTL_MAX);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// A session that has not ended.
struct OpenSession {
    user: UserId,
    newest: Vec<u8>,
    expires_at: i64,
}

#[async_trait]
impl SessionStore for ScyllaStore {
    /// The token and the list first: alone they are nothing. The credential last: a change of the password
    /// writes the new hash and then reads the list, so of the two one sees the other.
    async fn add_session(&self, opened: &NewSession) -> Result<AddSession> {
        let NewSession { session, user, token, expires_at, .. } = opened;
        issue(&self.db, *session, *user, token, *expires_at).await?;
        let (id, holder) = (raw(session.as_bytes()), raw(user.as_bytes()));
        let row = (id, holder, token.as_slice(), time(*expires_at), ttl(*expires_at));
        // A repeated call, after a lost response, changes nothing.
        self.db.applied(&self.db.statements.add_session, row).await?;
        let current = credentials_of(&self.db, *user).await?;
        if current.is_some_and(|current| current.password_hash == opened.password_hash) {
            return Ok(AddSession::Added);
        }
        end(&self.db, *session).await?;
        Ok(AddSession::PasswordChanged)
    }

    async fn renew_session(
        &self,
        token: TokenHash,
        next: TokenHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Renewal> {
        renew(&self.db, &token, &next, now, expires_at).await
    }

    async fn end_session(&self, session: SessionId) -> Result<()> {
        end(&self.db, session).await
    }

    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionId>> {
        let (db, s) = (&self.db, &self.db.statements);
        let listed = db.all::<(Uuid,)>(&s.sessions_of, (raw(user.as_bytes()),)).await?;
        let open = each(listed, |(id,)| async move {
            let row = db.first::<Row>(&s.session, (id,)).await?;
            let lives = open(row).is_some_and(|open| open.expires_at > now.0);
            Ok(lives.then_some(SessionId::from_uuid(id)))
        });
        Ok(open.await?.into_iter().flatten().collect())
    }
}

async fn issue(
    db: &Cluster,
    session: SessionId,
    user: UserId,
    token: &TokenHash,
    expires_at: Timestamp,
) -> Result<()> {
    let (id, ttl) = (raw(session.as_bytes()), ttl(expires_at));
    db.write(&db.statements.add_token, (token.as_slice(), id, time(expires_at), ttl)).await?;
    db.write(&db.statements.list_session, (raw(user.as_bytes()), id, ttl)).await
}

async fn renew(
    db: &Cluster,
    token: &TokenHash,
    next: &TokenHash,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Renewal> {
    let Some(session) = session_of(db, token, now).await? else { return Ok(Renewal::Unknown) };
    let Some(open) = read_serial(db, session).await?.filter(|open| open.expires_at > now.0) else {
        return Ok(Renewal::Unknown);
    };
    let user = open.user;
    if open.newest == token {
        // Before it counts: should the response be lost, the row of the unused token expires.
        issue(db, session, user, next, expires_at).await?;
        let row = (
            ttl(expires_at),
            raw(user.as_bytes()),
            next.as_slice(),
            time(expires_at),
            raw(session.as_bytes()),
            token.as_slice(),
        );
        if db.applied(&db.statements.rotate_session, row).await? {
            return Ok(Renewal::Renewed { user, session });
        }
    }
    // Another call was first, or this one was and its response got lost.
    match read_serial(db, session).await? {
        None => Ok(Renewal::Unknown),
        Some(open) if open.newest == next => Ok(Renewal::Renewed { user, session }),
        Some(_) => {
            end(db, session).await?;
            Ok(Renewal::Reused { user, session })
        }
    }
}

async fn session_of(db: &Cluster, token: &TokenHash, now: Timestamp) -> Result<Option<SessionId>> {
    type Row = (Option<Uuid>, Option<CqlTimestamp>);
    let row = db.first::<Row>(&db.statements.token, (token.as_slice(),)).await?;
    let Some((Some(session), Some(expires_at))) = row else { return Ok(None) };
    Ok((expires_at.0 > now.0).then_some(SessionId::from_uuid(session)))
}

type Row = (Option<Uuid>, Option<Vec<u8>>, Option<CqlTimestamp>);

fn open(row: Option<Row>) -> Option<OpenSession> {
    let (user, newest, expires_at) = row?;
    Some(OpenSession { user: UserId::from_uuid(user?), newest: newest?, expires_at: expires_at?.0 })
}

/// A serial read: it sees every conditional write that may still be under way.
async fn read_serial(db: &Cluster, session: SessionId) -> Result<Option<OpenSession>> {
    db.first::<Row>(&db.statements.session_serial, (raw(session.as_bytes()),)).await.map(open)
}

async fn end(db: &Cluster, session: SessionId) -> Result<()> {
    let id = raw(session.as_bytes());
    let open = read_serial(db, session).await?;
    db.applied(&db.statements.end_session, (id,)).await?;
    if let Some(open) = open {
        db.write(&db.statements.unlist_session, (raw(open.user.as_bytes()), id)).await?;
    }
    Ok(())
}
