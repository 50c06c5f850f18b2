//! Log-ins and their refresh tokens.
//!
//! A session names the one token that can be exchanged; exchanging it is one conditional write on the session.
//! A token says only which session it belongs to, so a spent one is recognized by not being named. What was
//! exchanged a moment ago is in the session's row as well, written by the same condition, until its TTL ends.

use std::collections::HashMap;

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
    limits,
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
use crate::{
    AddSession, Exchange, NewSession, Renewal, Result, Seed, SessionStore, TokenHash,
    sessions::{Credential, credential_version},
};

/// Seconds that rows stay after they have expired: clock skew must not remove what is still valid.
const EXPIRED_KEPT: i64 = 86_400;
/// CQL's limit, in seconds: 20 years.
const TTL_MAX: i64 = 630_720_000;

/// Sessions beyond a user's that are looked at: of more, which only an earlier version left, those that were opened first.
const LISTED_BEYOND: usize = 100;

/// Milliseconds: longer than a log-in takes. A session that expires so much later than one just opened is of a time when they
/// lasted longer.
const SAME_MOMENT: i64 = 60_000;

/// For removal only: whether a session has expired is decided by the caller's `now` and the row's own time.
pub fn ttl(expires_at: Timestamp, now: Timestamp) -> i32 {
    let left = expires_at.0.saturating_sub(now.0) / 1_000;
    let seconds = left.max(0).saturating_add(EXPIRED_KEPT).min(TTL_MAX);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// A session that has not ended.
struct OpenSession {
    user: UserId,
    /// The version of the credential it was opened with.
    credential: Option<Vec<u8>>,
    newest: Vec<u8>,
    expires_at: i64,
    /// Tokens within the grace, each with its seed and its successor's hash behind it.
    exchanged: HashMap<Vec<u8>, Vec<u8>>,
}

impl OpenSession {
    /// From the token to the newest; `None` when it is not one of this session's, or was exchanged too long ago.
    fn seeds_since(&self, token: &TokenHash) -> Option<Vec<Seed>> {
        let (mut seeds, mut at) = (Vec::new(), token.as_slice());
        while at != self.newest && seeds.len() <= limits::EXCHANGES_KEPT {
            let (seed, successor) = self.exchanged.get(at)?.split_first_chunk()?;
            seeds.push(*seed);
            at = successor;
        }
        (at == self.newest).then_some(seeds)
    }
}

#[async_trait]
impl SessionStore for ScyllaStore {
    /// The token and the list first: alone they are nothing. The credential last: a change of the password
    /// writes the new hash and then reads the list, so of the two one sees the other.
    async fn add_session(&self, opened: &NewSession) -> Result<AddSession> {
        let NewSession { session, user, token, now, expires_at, password_hash } = opened;
        let kept = ttl(*expires_at, *now);
        issue(&self.db, (*session, *user), token, *expires_at, kept).await?;
        let (id, holder) = (raw(session.as_bytes()), raw(user.as_bytes()));
        let version = credential_version(password_hash);
        let row = (id, holder, version.as_slice(), token.as_slice(), time(*expires_at), kept);
        // A repeated call, after a lost response, changes nothing.
        self.db.applied(&self.db.statements.add_session, row).await?;
        let current = credentials_of(&self.db, *user).await?;
        if current.is_some_and(|current| current.password_hash == *password_hash) {
            return Ok(AddSession::Added);
        }
        end(&self.db, *session).await?;
        Ok(AddSession::PasswordChanged)
    }

    async fn renew_session(&self, exchange: &Exchange) -> Result<Renewal> {
        renew(&self.db, exchange).await
    }

    /// Each call reads the list after its own session is on it: the last one to read sees all of them, and every one ends
    /// the first of the same order.
    async fn end_excess_sessions(
        &self,
        user: UserId,
        opened: SessionId,
        most: usize,
    ) -> Result<Vec<SessionId>> {
        let (db, s) = (&self.db, &self.db.statements);
        let considered = most.saturating_add(LISTED_BEYOND);
        let id = |(id,): (Uuid,)| Ok(Some(SessionId::from_uuid(id)));
        let listed = db.scan(&s.sessions_of, (raw(user.as_bytes()),), considered, id).await?;
        if listed.len() <= most {
            return Ok(Vec::new());
        }
        let open = each(listed, |session| async move {
            let row = db.first::<Row>(&s.session, (raw(session.as_bytes()),)).await?;
            Ok(open(row).map(|open| (open.expires_at, session)))
        });
        let mut open: Vec<_> = open.await?.into_iter().flatten().collect();
        let excess = open.len().saturating_sub(most).min(limits::SESSIONS_ENDED_AT_ONCE);
        open.sort_unstable();
        put_last(&mut open, opened);
        let first: Vec<SessionId> = open.into_iter().take(excess).map(|(_, session)| session).collect();
        each(first.clone(), |session| end(db, session)).await?;
        Ok(first)
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

/// Unless others were opened or renewed at the same moment: calls that each spared their own would end each other's.
fn put_last(open: &mut Vec<(i64, SessionId)>, opened: SessionId) {
    let latest = open.last().map_or(0, |(expires_at, _)| *expires_at);
    if let Some(at) = open.iter().position(|(_, session)| *session == opened)
        && latest.saturating_sub(open[at].0) > SAME_MOMENT
    {
        let opened = open.remove(at);
        open.push(opened);
    }
}

/// Plain writes, whose order by the nodes' clocks decides nothing: of a token all writes are the same, and whether a listed
/// session lives is looked up in its own row.
async fn issue(
    db: &Cluster,
    (session, user): (SessionId, UserId),
    token: &TokenHash,
    expires_at: Timestamp,
    kept: i32,
) -> Result<()> {
    let id = raw(session.as_bytes());
    db.write(&db.statements.add_token, (token.as_slice(), id, time(expires_at), kept)).await?;
    db.write(&db.statements.list_session, (raw(user.as_bytes()), id, kept)).await
}

async fn renew(db: &Cluster, exchange: &Exchange) -> Result<Renewal> {
    let Exchange { token, next, seed, now, .. } = exchange;
    let Some(session) = session_of(db, token, *now).await? else { return Ok(Renewal::Unknown) };
    let Some(open) = read_serial(db, session).await?.filter(|open| open.expires_at > now.0) else {
        return Ok(Renewal::Unknown);
    };
    let user = open.user;
    if !is_current(db, session, &open).await? {
        end(db, session).await?;
        return Ok(Renewal::PasswordChanged { user, session });
    }
    if open.newest == token && rotate(db, session, &open, exchange).await? {
        return Ok(Renewal::Renewed { user, session, seeds: vec![*seed] });
    }
    // Another call was first, or this one was and its response got lost.
    let Some(open) = read_serial(db, session).await? else { return Ok(Renewal::Unknown) };
    match open.seeds_since(token) {
        Some(seeds) if !seeds.is_empty() => Ok(Renewal::Renewed { user, session, seeds }),
        _ if open.newest == next => Ok(Renewal::Renewed { user, session, seeds: vec![*seed] }),
        _ => {
            end(db, session).await?;
            Ok(Renewal::Reused { user, session })
        }
    }
}

/// Whether this call exchanged the token.
async fn rotate(db: &Cluster, session: SessionId, open: &OpenSession, exchange: &Exchange) -> Result<bool> {
    let Exchange { token, next, seed, now, expires_at, grace } = exchange;
    let kept = ttl(*expires_at, *now);
    // Before it counts: should the response be lost, the row of the unused token expires.
    issue(db, (session, open.user), next, *expires_at, kept).await?;
    let (id, user) = (raw(session.as_bytes()), raw(open.user.as_bytes()));
    let (credential, ends) = (open.credential.as_deref(), time(*expires_at));
    let (token, next) = (token.as_slice(), next.as_slice());
    let grace = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
    // To CQL a TTL of zero is none: it would stay for good.
    if grace == 0 || open.exchanged.len() >= limits::EXCHANGES_KEPT {
        let row = (kept, user, credential, next, ends, id, token);
        return db.applied(&db.statements.rotate_session, row).await;
    }
    let exchanged = [seed.as_slice(), next].concat();
    let row = (kept, user, credential, next, ends, id, token, grace, token, exchanged, id);
    db.applied(&db.statements.rotate_session_with_grace, row).await
}

async fn is_current(db: &Cluster, session: SessionId, open: &OpenSession) -> Result<bool> {
    type Row = (Option<String>, Option<Uuid>);
    let row = db.first::<Row>(&db.statements.password, (raw(open.user.as_bytes()),)).await?;
    let Some((Some(password_hash), set_by)) = row else { return Ok(false) };
    let credential = Credential {
        opened_with: open.credential.as_deref(),
        current: credential_version(&password_hash),
        set_by: set_by.as_ref().map(|by| by.as_bytes().as_slice()),
    };
    Ok(credential.is_current(session))
}

async fn session_of(db: &Cluster, token: &TokenHash, now: Timestamp) -> Result<Option<SessionId>> {
    type Row = (Option<Uuid>, Option<CqlTimestamp>);
    let row = db.first::<Row>(&db.statements.token, (token.as_slice(),)).await?;
    let Some((Some(session), Some(expires_at))) = row else { return Ok(None) };
    Ok((expires_at.0 > now.0).then_some(SessionId::from_uuid(session)))
}

type Row =
    (Option<Uuid>, Option<Vec<u8>>, Option<Vec<u8>>, Option<CqlTimestamp>, Option<HashMap<Vec<u8>, Vec<u8>>>);

fn open(row: Option<Row>) -> Option<OpenSession> {
    let (user, credential, newest, expires_at, exchanged) = row?;
    Some(OpenSession {
        user: UserId::from_uuid(user?),
        credential,
        newest: newest?,
        expires_at: expires_at?.0,
        exchanged: exchanged.unwrap_or_default(),
    })
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
