//! Users and passwords.

use async_trait::async_trait;
use natter_schemas::{
    id::{SessionId, UserId},
    rpc::User,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteStore,
    columns::{count, time, user as user_id},
    user_words,
};
use crate::{
    AccountStore, AddUser, Credentials, Result, erasures::CLOSED, fold::fold, profile::email_key,
    words::Query,
};

/// By id.
pub(super) const SELECT: &str =
    "SELECT id, username, email, display_name, created_at FROM users WHERE id = ?1";

#[async_trait]
impl AccountStore for SqliteStore {
    async fn add_user(&self, user: &User, password_hash: &str) -> Result<AddUser> {
        let (user, hash) = (user.clone(), password_hash.to_owned());
        self.writer.write(1, move |db| add(db, &user, &hash)).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let ids = ids.to_owned();
        self.readers
            .read(move |db| {
                let mut one = db.prepare_cached(SELECT)?;
                let mut found = Vec::with_capacity(ids.len());
                for id in ids {
                    found.extend(one.query_row([id.as_bytes()], user).optional()?);
                }
                Ok(found)
            })
            .await
    }

    async fn credentials(&self, login: &str) -> Result<Option<Credentials>> {
        let login = email_key(login);
        self.readers
            .read(move |db| {
                let found = db
                    .prepare_cached(
                        "SELECT id, username, email, display_name, created_at, password_hash FROM users
                         WHERE username_fold = ?1 OR email_fold = ?1
                         ORDER BY username_fold = ?1 DESC LIMIT 1",
                    )?
                    .query_row([login.as_bytes()], with_password)
                    .optional()?;
                Ok(found.filter(Credentials::is_open))
            })
            .await
    }

    async fn credentials_of(&self, user: UserId) -> Result<Option<Credentials>> {
        self.readers
            .read(move |db| {
                let found = db
                    .prepare_cached(
                        "SELECT id, username, email, display_name, created_at, password_hash FROM users
                         WHERE id = ?1",
                    )?
                    .query_row([user.as_bytes()], with_password)
                    .optional()?;
                Ok(found.filter(Credentials::is_open))
            })
            .await
    }

    async fn search_users(&self, query: &str, limit: usize) -> Result<Vec<User>> {
        let Some(query) = Query::parse(query) else { return Ok(Vec::new()) };
        self.readers.read(move |db| user_words::search(db, &query, limit)).await
    }

    async fn set_display_name(&self, id: UserId, name: &str) -> Result<Option<User>> {
        let name = name.to_owned();
        self.writer
            .write(1, move |db| {
                let renamed = db
                    .prepare_cached(
                        "UPDATE users SET display_name = ?2 WHERE id = ?1 AND password_hash <> ?3
                         RETURNING id, username, email, display_name, created_at",
                    )?
                    .query_row(params![id.as_bytes(), name, CLOSED], user)
                    .optional()?;
                if let Some(renamed) = &renamed {
                    user_words::enter(db, renamed)?;
                }
                Ok(renamed)
            })
            .await
    }

    async fn users_after(&self, after: Option<UserId>, most: usize) -> Result<Vec<User>> {
        self.readers
            .read(move |db| {
                let after = after.as_ref().map_or(&[][..], |user| user.as_bytes().as_slice());
                let mut users = db.prepare_cached(
                    "SELECT id, username, email, display_name, created_at FROM users
                      WHERE id > ?1 ORDER BY id LIMIT ?2",
                )?;
                let users = users.query_map(params![after, count(most)], user)?;
                Ok(users.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn replace_profile(&self, from: &User, to: &User) -> Result<bool> {
        let (from, to) = (from.clone(), to.clone());
        self.writer.write(1, move |db| replace(db, &from, &to)).await
    }

    async fn set_password_hash(
        &self,
        user: UserId,
        password_hash: &str,
        by: Option<SessionId>,
    ) -> Result<()> {
        let hash = password_hash.to_owned();
        let by = by.map_or([0; 16], |by| *by.as_bytes());
        self.writer
            .write(1, move |db| {
                db.prepare_cached(
                    "UPDATE users SET password_hash = ?2, password_set_by = ?3
                      WHERE id = ?1 AND password_hash <> ?4",
                )?
                .execute(params![user.as_bytes(), hash, by, CLOSED])?;
                Ok(())
            })
            .await
    }
}

fn add(db: &Connection, user: &User, password_hash: &str) -> Result<AddUser> {
    let (username, email) = (fold(&user.username), folded_email(user));
    let holder = |sql: &str, fold: &[u8]| -> Result<Option<UserId>> {
        Ok(db.prepare_cached(sql)?.query_row([fold], |row| user_id(row, 0)).optional()?)
    };
    // A repeated call, after a lost response, finds its own row: that is no conflict.
    let rival = |holder: Option<UserId>| holder.is_some_and(|id| id != user.id);
    if rival(holder("SELECT id FROM users WHERE username_fold = ?1", username.as_bytes())?) {
        return Ok(AddUser::UsernameTaken);
    }
    if rival(holder("SELECT id FROM users WHERE email_fold = ?1", &email)?) {
        return Ok(AddUser::EmailTaken);
    }
    let insert =
        "INSERT INTO users (id, username, username_fold, email, email_fold, display_name, password_hash,
                                    created_at)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING";
    let added = db.prepare_cached(insert)?.execute(params![
        user.id.as_bytes(),
        user.username,
        username.as_bytes(),
        user.email,
        email,
        user.display_name,
        password_hash,
        user.created_at.0,
    ])?;
    // What is stored already stays as it is, and so do its words.
    if added > 0 {
        user_words::enter(db, user)?;
    }
    Ok(AddUser::Added)
}

/// The column is unique: without an address it is what no address folds to, and differs by user.
fn folded_email(user: &User) -> Vec<u8> {
    if user.email.is_empty() {
        [&[0], user.id.as_bytes().as_slice()].concat()
    } else {
        email_key(&user.email).into_bytes()
    }
}

fn replace(db: &Connection, from: &User, to: &User) -> Result<bool> {
    let key = folded_email(to);
    let holder = db
        .prepare_cached("SELECT id FROM users WHERE email_fold = ?1")?
        .query_row([&key], |row| user_id(row, 0))
        .optional()?;
    if holder.is_some_and(|holder| holder != to.id) {
        return Ok(false);
    }
    let replaced = db
        .prepare_cached(
            "UPDATE users SET email = ?2, email_fold = ?3, display_name = ?4
              WHERE id = ?1 AND email = ?5 AND display_name = ?6 AND password_hash <> ?7",
        )?
        .execute(params![
            to.id.as_bytes(),
            to.email,
            key,
            to.display_name,
            from.email,
            from.display_name,
            CLOSED,
        ])?;
    if replaced > 0 {
        user_words::enter(db, to)?;
    }
    Ok(replaced > 0)
}

pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
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
