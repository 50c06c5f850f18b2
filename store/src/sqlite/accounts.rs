//! Users and passwords.

use natter_schemas::{id::UserId, rpc::User};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{limit, time, user as user_id};
use crate::{AddUser, Credentials, Result, fold::fold};

pub fn add(db: &Connection, user: &User, password_hash: &str) -> Result<AddUser> {
    let (username, email) = (fold(&user.username), fold(&user.email));
    let holder = |sql: &str, fold: &str| -> Result<Option<UserId>> {
        Ok(db.prepare_cached(sql)?.query_row([fold.as_bytes()], |row| user_id(row, 0)).optional()?)
    };
    // The user itself is no rival: a repeated call, after an answer that was lost, finds its own row.
    let rival = |holder: Option<UserId>| holder.is_some_and(|id| id != user.id);
    if rival(holder("SELECT id FROM users WHERE username_fold = ?1", &username)?) {
        return Ok(AddUser::UsernameTaken);
    }
    if rival(holder("SELECT id FROM users WHERE email_fold = ?1", &email)?) {
        return Ok(AddUser::EmailTaken);
    }
    db.prepare_cached(
        "INSERT INTO users (id, username, username_fold, email, email_fold, display_name, display_fold,
                            password_hash, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
    )?
    .execute(params![
        user.id.as_bytes(),
        user.username,
        username.as_bytes(),
        user.email,
        email.as_bytes(),
        user.display_name,
        fold(&user.display_name).as_bytes(),
        password_hash,
        user.created_at.0,
    ])?;
    Ok(AddUser::Added)
}

pub fn find(db: &Connection, ids: &[UserId]) -> Result<Vec<User>> {
    let mut one =
        db.prepare_cached("SELECT id, username, email, display_name, created_at FROM users WHERE id = ?1")?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(one.query_row([id.as_bytes()], user).optional()?);
    }
    Ok(found)
}

pub fn credentials(db: &Connection, login: &str) -> Result<Option<Credentials>> {
    let found = db
        .prepare_cached(
            "SELECT id, username, email, display_name, created_at, password_hash FROM users
             WHERE username_fold = ?1 OR email_fold = ?1
             ORDER BY username_fold = ?1 DESC LIMIT 1",
        )?
        .query_row([fold(login).as_bytes()], with_password)
        .optional()?;
    Ok(found)
}

pub fn credentials_of(db: &Connection, user: UserId) -> Result<Option<Credentials>> {
    let found = db
        .prepare_cached(
            "SELECT id, username, email, display_name, created_at, password_hash FROM users WHERE id = ?1",
        )?
        .query_row([user.as_bytes()], with_password)
        .optional()?;
    Ok(found)
}

pub fn search(db: &Connection, prefix: &str, most: usize) -> Result<Vec<User>> {
    let from = fold(prefix).into_bytes();
    // No byte of UTF-8 is 0xFF: everything that begins with the prefix lies between.
    let to = [from.as_slice(), &[0xFF]].concat();
    let mut search = db.prepare_cached(
        "SELECT id, username, email, display_name, created_at FROM users WHERE id IN (
             SELECT id FROM (SELECT id FROM users WHERE username_fold >= ?1 AND username_fold < ?2
                             ORDER BY username_fold LIMIT ?3)
             UNION
             SELECT id FROM (SELECT id FROM users WHERE display_fold >= ?1 AND display_fold < ?2
                             ORDER BY username_fold LIMIT ?3))
         ORDER BY username_fold LIMIT ?3",
    )?;
    let found = search.query_map(params![from, to, limit(most)], user)?.collect::<rusqlite::Result<_>>()?;
    Ok(found)
}

pub fn set_display_name(db: &Connection, id: UserId, name: &str) -> Result<Option<User>> {
    let renamed = db
        .prepare_cached(
            "UPDATE users SET display_name = ?2, display_fold = ?3 WHERE id = ?1
             RETURNING id, username, email, display_name, created_at",
        )?
        .query_row(params![id.as_bytes(), name, fold(name).as_bytes()], user)
        .optional()?;
    Ok(renamed)
}

pub fn set_password_hash(db: &Connection, id: UserId, password_hash: &str) -> Result<()> {
    db.prepare_cached("UPDATE users SET password_hash = ?2 WHERE id = ?1")?
        .execute(params![id.as_bytes(), password_hash])?;
    Ok(())
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: user_id(row, 0)?,
        username: row.get(1)?,
        email: row.get(2)?,
        display_name: row.get(3)?,
        created_at: time(row, 4)?,
    })
}

fn with_password(row: &Row<'_>) -> rusqlite::Result<Credentials> {
    Ok(Credentials { user: user(row)?, password_hash: row.get(5)? })
}
