//! Users found by words of their names. The rows of a user's words are registers: their write timestamp is the version of
//! the name that has them or no longer has them, so that the later name decides, whichever is written last.

use std::collections::{BTreeMap, BTreeSet};

use natter_schemas::{id::UserId, limits, rpc::User};
use uuid::Uuid;

use super::{
    accounts::{self, NamedUser},
    cluster::Cluster,
    columns::raw,
    concurrent::each,
};
use crate::{
    Result,
    fold::fold,
    profile,
    words::{self, Query},
};

const SHARDS: i8 = 16;
/// Of rows that list a user by a word. Kinds 1 and 2 were of an earlier version.
const WORD: i8 = 3;
/// Words read from one shard.
const WORDS_PER_SHARD: usize = limits::SEARCH_CANDIDATES / SHARDS as usize;

/// The primary key under which a word is listed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameKey {
    pub initial: String,
    pub shard: i8,
    pub kind: i8,
    pub folded: String,
}

pub fn keys(user: &User) -> BTreeSet<NameKey> {
    let key = |folded: String| {
        Some(NameKey { initial: initial(&folded)?, shard: shard(user.id), kind: WORD, folded })
    };
    words::of(user).into_iter().filter_map(key).collect()
}

pub fn shard(user: UserId) -> i8 {
    let [.., last] = *user.as_bytes();
    i8::try_from(last % 16).unwrap_or_default()
}

/// `None` for an empty name, which no search finds. Of a word of a sealed name more than its first character, which all of
/// these have: 24 bits of the hash, so that no partition has many of them.
pub fn initial(folded: &str) -> Option<String> {
    let characters = if profile::is_word(folded) { 5 } else { 1 };
    let initial: String = folded.chars().take(characters).collect();
    (!initial.is_empty()).then_some(initial)
}

pub async fn add(db: &Cluster, user: &User, version: i64) -> Result<()> {
    for NameKey { initial, shard, kind, folded } in keys(user) {
        let row = (initial, shard, kind, folded.as_bytes(), raw(user.id.as_bytes()), &user.username, version);
        db.write(&db.statements.add_name, row).await?;
    }
    Ok(())
}

/// What was added with the same version is gone as well.
pub async fn remove(db: &Cluster, user: &User, version: i64) -> Result<()> {
    for key in keys(user) {
        delete(db, user.id, key, version).await?;
    }
    Ok(())
}

/// Removes the words of names of before that are not among the present ones.
pub async fn remove_former(db: &Cluster, before: &[&User], now: &NamedUser) -> Result<()> {
    let present = keys(&now.user);
    let former: BTreeSet<NameKey> = before.iter().flat_map(|user| keys(user)).collect();
    for key in former.difference(&present) {
        delete(db, now.user.id, key.clone(), now.version).await?;
    }
    Ok(())
}

async fn delete(db: &Cluster, user: UserId, key: NameKey, version: i64) -> Result<()> {
    let NameKey { initial, shard, kind, folded } = key;
    let row = (version, initial, shard, kind, folded.as_bytes(), raw(user.as_bytes()));
    db.write(&db.statements.delete_name, row).await
}

/// By username. 16 × 64 words are read, the first that begin with the query's longest, and as many of sealed names: beyond 1,024 the result is some
/// of the users, not the first by username; a longer query makes it exact.
pub async fn search(db: &Cluster, query: &Query, most: usize) -> Result<Vec<User>> {
    let mut by_username: BTreeMap<String, UserId> = BTreeMap::new();
    for from in query.begins() {
        let Some(initial) = initial(from).filter(|_| most > 0) else { return Ok(Vec::new()) };
        // No byte of UTF-8 is 0xFF: everything that begins with the word lies between.
        let to = [from.as_bytes(), &[0xFF]].concat();
        let to = to.as_slice();
        let found = each(0..SHARDS, |shard| {
            let range = (initial.clone(), shard, WORD, from.as_bytes(), to);
            let keep = |row: (Uuid, Option<String>)| Ok(Some(row));
            db.scan(&db.statements.names_from, range, WORDS_PER_SHARD, keep)
        })
        .await?;
        for (user, username) in found.into_iter().flatten() {
            by_username.insert(fold(&username.unwrap_or_default()), UserId::from_uuid(user));
        }
    }
    let ids: Vec<UserId> = by_username.into_values().collect();
    let mut users = Vec::new();
    for ids in ids.chunks(most) {
        // A name that was changed may still be listed.
        users.extend(accounts::users(db, ids).await?.into_iter().filter(|user| query.finds(user)));
        if users.len() >= most {
            break;
        }
    }
    users.truncate(most);
    Ok(users)
}
