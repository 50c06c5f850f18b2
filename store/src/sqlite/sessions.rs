//! Log-ins and their refresh tokens.

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{SqliteStore, columns::user as user_id};
use crate::{AddSession, NewSession, Renewal, Result, SessionStore, TokenHash};

/// Expired sessions removed by one renewal: more than expire between two, so that none are left in the end.
const EXPIRED_REMOVED: i64 = 10;

#[async_trait]
impl SessionStore for SqliteStore {
    async fn add_session(&self, opened: &NewSession) -> Result<AddSession> {
        let opened = opened.clone();
        self.writer.write(1, move |db| add(db, &opened)).await
    }

    async fn renew_session(
        &self,
        token: TokenHash,
        next: TokenHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Renewal> {
        self.writer.write(1, move |db| renew(db, &token, &next, now, expires_at)).await
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
        "INSERT INTO sessions (id, user, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute(params![session, user, opened.expires_at.0])?;
    issue(db, opened.session, &opened.token, opened.expires_at)?;
    Ok(AddSession::Added)
}

fn renew(
    db: &Connection,
    token: &TokenHash,
    next: &TokenHash,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Renewal> {
    remove_expired(db, now)?;
    let found = db
        .prepare_cached(
            "SELECT s.id, s.user, t.spent FROM refresh_tokens t JOIN sessions s ON s.id = t.session
             WHERE t.hash = ?1 AND t.expires_at > ?2 AND s.expires_at > ?2",
        )?
        .query_row(params![token, now.0], |row| {
            Ok((SessionId::from_bytes(row.get(0)?), user_id(row, 1)?, row.get::<_, bool>(2)?))
        })
        .optional()?;
    let Some((session, user, spent)) = found else { return Ok(Renewal::Unknown) };
    if spent {
        end(db, session)?;
        return Ok(Renewal::Reused { user, session });
    }
    db.prepare_cached("UPDATE refresh_tokens SET spent = TRUE WHERE hash = ?1")?.execute([token])?;
    db.prepare_cached("DELETE FROM refresh_tokens WHERE session = ?1 AND expires_at <= ?2")?
        .execute(params![session.as_bytes(), now.0])?;
    db.prepare_cached("UPDATE sessions SET expires_at = ?2 WHERE id = ?1")?
        .execute(params![session.as_bytes(), expires_at.0])?;
    issue(db, session, next, expires_at)?;
    Ok(Renewal::Renewed { user, session })
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
