//! The index by which users are found.

use std::collections::BTreeMap;

use natter_schemas::{id::UserId, limits, rpc::User, text};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    accounts::{SELECT, user as read_user},
    columns::{count, user as user_id},
};
use crate::{
    Result,
    fold::fold,
    words::{self, Query},
};

/// Enters a user's words, instead of those of before.
pub fn enter(db: &Connection, user: &User) -> Result<()> {
    db.prepare_cached("DELETE FROM user_words WHERE user = ?1")?.execute([user.id.as_bytes()])?;
    let username = fold(&user.username);
    let mut add =
        db.prepare_cached("INSERT INTO user_words (word, username_fold, user) VALUES (?1, ?2, ?3)")?;
    for word in words::of(user) {
        add.execute(params![word.as_bytes(), username.as_bytes(), user.id.as_bytes()])?;
    }
    Ok(())
}

pub fn search(db: &Connection, query: &Query, limit: usize) -> Result<Vec<User>> {
    let mut candidates = db.prepare_cached(
        "SELECT username_fold, user FROM user_words WHERE word >= ?1 AND word < ?2 ORDER BY word LIMIT ?3",
    )?;
    let mut by_username: BTreeMap<Vec<u8>, UserId> = BTreeMap::new();
    for from in query.begins() {
        // No byte of UTF-8 is 0xFF: everything that begins with the word lies between.
        let range =
            params![from.as_bytes(), [from.as_bytes(), &[0xFF]].concat(), count(limits::SEARCH_CANDIDATES)];
        let mut rows = candidates.query(range)?;
        while let Some(row) = rows.next()? {
            by_username.insert(row.get(0)?, user_id(row, 1)?);
        }
    }
    let mut one = db.prepare_cached(SELECT)?;
    let mut found = Vec::new();
    for id in by_username.into_values() {
        if found.len() >= limit {
            break;
        }
        let user = one.query_row([id.as_bytes()], read_user).optional()?;
        found.extend(user.filter(|user| query.finds(user)));
    }
    Ok(found)
}

/// Makes the words of all users, unless they are there in the present form. All or nothing: a run that dies is repeated.
pub fn fill(db: &mut Connection) -> Result<()> {
    let form: u32 = db.query_row("SELECT form FROM user_words_form", [], |row| row.get(0))?;
    if form == text::SEARCH_FORM {
        return Ok(());
    }
    let filling = db.transaction()?;
    filling.execute("DELETE FROM user_words", [])?;
    {
        let mut all = filling.prepare("SELECT id, username, email, display_name, created_at FROM users")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            enter(&filling, &read_user(row)?)?;
        }
    }
    filling.execute("UPDATE user_words_form SET form = ?1", [text::SEARCH_FORM])?;
    Ok(filling.commit()?)
}
