//! Log-ins and their refresh tokens.

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
    limits,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    SqliteStore,
    columns::{count, user as user_id},
};
use crate::{
    AddSession, Exchange, NewSession, Renewal, Result, Seed, SessionStore, TokenHash,
    sessions::{Credential, credential_version},
};

/// Expired sessions removed by one renewal: more than expire between two, so that none are left in the end.
const EXPIRED_REMOVED: i64 = 10;

#[async_trait]
impl SessionStore for SqliteStore {
    async fn add_session(&self, opened: &NewSession) -> Result<AddSession> {
        let opened = opened.clone();
        self.writer.write(1, move |db| add(db, &opened)).await
    }

    async fn renew_session(&self, exchange: &Exchange) -> Result<Renewal> {
        let exchange = exchange.clone();
        self.writer.write(1, move |db| renew(db, &exchange)).await
    }

    async fn end_excess_sessions(
        &self,
        user: UserId,
        opened: SessionId,
        most: usize,
    ) -> Result<Vec<SessionId>> {
        self.writer.write(1, move |db| end_excess(db, user, opened, most)).await
    }

    async fn end_session(&self, session: SessionId) -> Result<()> {
        self.writer.write(1, move |db| end(db, session)).await
    }

    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionId>> {
        self.readers
            .read(move |db| {
                let mut open =
                    db.prepare_cached("SELECT id FROM sessions WHERE user = ?1 AND expires_at > ?2")?;
                let ids = open.query_map(params![user.as_bytes(), now.0], |row| {
                    row.get(0).map(SessionId::from_bytes)
                })?;
                Ok(ids.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }
}

/// The one writer puts this before or after a change of the password, never beside it.
fn add(db: &Connection, opened: &NewSession) -> Result<AddSession> {
    let (session, user) = (opened.session.as_bytes(), opened.user.as_bytes());
    let current = db
        .prepare_cached("SELECT 1 FROM users WHERE id = ?1 AND password_hash = ?2")?
        .exists(params![user, opened.password_hash])?;
    if !current {
        return Ok(AddSession::PasswordChanged);
    }
    // A repeated call, after a lost response, changes nothing.
    db.prepare_cached(
        "INSERT INTO sessions (id, user, credential, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![session, user, credential_version(&opened.password_hash), opened.expires_at.0])?;
    issue(db, opened.session, &opened.token, opened.expires_at)?;
    Ok(AddSession::Added)
}

/// A session found by one of its tokens.
struct Presented {
    user: UserId,
    session: SessionId,
    alive: bool,
    exchanged: bool,
}

fn renew(db: &Connection, exchange: &Exchange) -> Result<Renewal> {
    let Exchange { token, next, seed, now, expires_at, .. } = exchange;
    remove_expired(db, *now)?;
    let Some(Presented { user, session, alive, exchanged }) = presented(db, token, *now)? else {
        return Ok(Renewal::Unknown);
    };
    if !alive {
        end(db, session)?;
        return Ok(Renewal::PasswordChanged { user, session });
    }
    if exchanged {
        let seeds = seeds_since(db, exchange)?;
        if !seeds.is_empty() {
            return Ok(Renewal::Renewed { user, session, seeds });
        }
        end(db, session)?;
        return Ok(Renewal::Reused { user, session });
    }
    db.prepare_cached(
        "UPDATE refresh_tokens SET spent = TRUE, successor = ?2, seed = ?3, exchanged_at = ?4 WHERE hash = ?1",
    )?
    .execute(params![token, next, seed, now.0])?;
    db.prepare_cached("DELETE FROM refresh_tokens WHERE session = ?1 AND expires_at <= ?2")?
        .execute(params![session.as_bytes(), now.0])?;
    db.prepare_cached("UPDATE sessions SET expires_at = ?2 WHERE id = ?1")?
        .execute(params![session.as_bytes(), expires_at.0])?;
    issue(db, session, next, *expires_at)?;
    Ok(Renewal::Renewed { user, session, seeds: vec![*seed] })
}

fn presented(db: &Connection, token: &TokenHash, now: Timestamp) -> Result<Option<Presented>> {
    let found = db
        .prepare_cached(
            "SELECT s.id, s.user, s.credential, u.password_hash, u.password_set_by, t.spent
             FROM refresh_tokens t JOIN sessions s ON s.id = t.session JOIN users u ON u.id = s.user
             WHERE t.hash = ?1 AND t.expires_at > ?2 AND s.expires_at > ?2",
        )?
        .query_row(params![token, now.0], |row| {
            let session = SessionId::from_bytes(row.get(0)?);
            let (opened_with, set_by): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(2)?, row.get(4)?);
            let credential = Credential {
                opened_with: opened_with.as_deref(),
                current: credential_version(&row.get::<_, String>(3)?),
                set_by: set_by.as_deref(),
            };
            let alive = credential.is_current(session);
            Ok(Presented { user: user_id(row, 1)?, session, alive, exchanged: row.get(5)? })
        })
        .optional()?;
    Ok(found)
}

/// From the presented token to the newest; none when it was exchanged too long ago. A clock that was set by more than the
/// grace, in either direction, costs a log-in and opens nothing.
fn seeds_since(db: &Connection, exchange: &Exchange) -> Result<Vec<Seed>> {
    let grace = i64::try_from(exchange.grace.as_millis()).unwrap_or(i64::MAX);
    let mut step = db.prepare_cached(
        "SELECT spent, successor, seed FROM refresh_tokens
         WHERE hash = ?1 AND (NOT spent OR abs(?2 - exchanged_at) < ?3)",
    )?;
    let (mut seeds, mut token) = (Vec::new(), exchange.token);
    while seeds.len() < limits::EXCHANGES_KEPT {
        let found = step
            .query_row(params![token, exchange.now.0, grace], |row| {
                let spent: bool = row.get(0)?;
                Ok(if spent { Some((row.get(1)?, row.get(2)?)) } else { None })
            })
            .optional()?;
        match found {
            Some(Some((next, seed))) => {
                seeds.push(seed);
                token = next;
            }
            Some(None) => return Ok(seeds),
            None => break,
        }
    }
    Ok(Vec::new())
}

fn end_excess(db: &Connection, user: UserId, opened: SessionId, most: usize) -> Result<Vec<SessionId>> {
    let open: i64 = db
        .prepare_cached("SELECT count(*) FROM sessions WHERE user = ?1")?
        .query_row([user.as_bytes()], |row| row.get(0))?;
    let excess = (open - count(most)).clamp(0, count(limits::SESSIONS_ENDED_AT_ONCE));
    let mut first = db.prepare_cached(
        "SELECT id FROM sessions WHERE user = ?1 AND id <> ?2 ORDER BY expires_at, id LIMIT ?3",
    )?;
    let ids = first.query_map(params![user.as_bytes(), opened.as_bytes(), excess], |row| {
        row.get(0).map(SessionId::from_bytes)
    })?;
    let ended: Vec<SessionId> = ids.collect::<rusqlite::Result<_>>()?;
    ended.iter().try_for_each(|session| end(db, *session))?;
    Ok(ended)
}

fn end(db: &Connection, session: SessionId) -> Result<()> {
    db.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([session.as_bytes()])?;
    Ok(())
}

fn issue(db: &Connection, session: SessionId, token: &TokenHash, expires_at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO refresh_tokens (hash, session, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute(params![token, session.as_bytes(), expires_at.0])?;
    Ok(())
}

fn remove_expired(db: &Connection, now: Timestamp) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= ?1 LIMIT ?2)",
    )?
    .execute(params![now.0, EXPIRED_REMOVED])?;
    Ok(())
}
