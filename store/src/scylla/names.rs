//! Users found by a prefix of a name.

use std::collections::BTreeMap;

use natter_schemas::{id::UserId, rpc::User};
use uuid::Uuid;

use super::{accounts, cluster::Cluster, columns::raw, concurrent::each};
use crate::{Result, fold::fold};

const SHARDS: i8 = 16;
const USERNAME: i8 = 1;
const DISPLAY_NAME: i8 = 2;
/// Display names read from one shard.
const DISPLAY_NAMES_PER_SHARD: usize = 64;

/// The primary key under which a name is listed.
struct NameKey {
    initial: String,
    shard: i8,
    kind: i8,
    folded: String,
}

fn name_keys(user: &User) -> [Option<NameKey>; 2] {
    [name_key(user, USERNAME, &user.username), name_key(user, DISPLAY_NAME, &user.display_name)]
}

fn name_key(user: &User, kind: i8, name: &str) -> Option<NameKey> {
    let folded = fold(name);
    let [.., last] = *user.id.as_bytes();
    let shard = i8::try_from(last % 16).unwrap_or_default();
    Some(NameKey { initial: initial(&folded)?, shard, kind, folded })
}

/// `None` for an empty name, which no search finds.
fn initial(folded: &str) -> Option<String> {
    folded.chars().next().map(String::from)
}

pub async fn add(db: &Cluster, user: &User) -> Result<()> {
    for NameKey { initial, shard, kind, folded } in name_keys(user).into_iter().flatten() {
        let row = (initial, shard, kind, folded.as_bytes(), raw(user.id.as_bytes()), &user.username);
        db.write(&db.statements.add_name, row).await?;
    }
    Ok(())
}

pub async fn remove(db: &Cluster, user: &User) -> Result<()> {
    for name_key in name_keys(user).into_iter().flatten() {
        delete(db, user, name_key).await?;
    }
    Ok(())
}

/// Removes the old display name, unless it folds like the new one.
pub async fn replace(db: &Cluster, before: &User, after: &User) -> Result<()> {
    match name_key(before, DISPLAY_NAME, &before.display_name) {
        Some(old) if old.folded != fold(&after.display_name) => delete(db, before, old).await,
        _ => Ok(()),
    }
}

async fn delete(db: &Cluster, user: &User, NameKey { initial, shard, kind, folded }: NameKey) -> Result<()> {
    let row = (initial, shard, kind, folded.as_bytes(), raw(user.id.as_bytes()));
    db.write(&db.statements.delete_name, row).await
}

/// By username. Of users found by their username these are the first `most`. By display name 16 × 64 users
/// are read, the first by display name: beyond 1,024 with the same prefix the result is some of them, not the
/// first by username; a longer prefix makes it exact. An empty prefix finds no user.
pub async fn search(db: &Cluster, prefix: &str, most: usize) -> Result<Vec<User>> {
    let from = fold(prefix);
    let Some(initial) = initial(&from).filter(|_| most > 0) else { return Ok(Vec::new()) };
    // No byte of UTF-8 is 0xFF: everything that begins with the prefix lies between.
    let to = [from.as_bytes(), &[0xFF]].concat();
    let ranges = (0..SHARDS)
        .flat_map(|shard| [(shard, USERNAME, most), (shard, DISPLAY_NAME, DISPLAY_NAMES_PER_SHARD)]);
    let (from, to) = (from.as_str(), to.as_slice());
    let found = each(ranges, |(shard, kind, most)| {
        let range = (initial.clone(), shard, kind, from.as_bytes(), to);
        db.scan(&db.statements.names_from, range, most, |row: (Uuid, Option<String>)| Ok(Some(row)))
    })
    .await?;
    let mut by_username: BTreeMap<String, UserId> = BTreeMap::new();
    for (user, username) in found.into_iter().flatten() {
        by_username.insert(fold(&username.unwrap_or_default()), UserId::from_uuid(user));
    }
    let ids: Vec<UserId> = by_username.into_values().collect();
    let mut users = Vec::new();
    for ids in ids.chunks(most) {
        // A name that was changed may still be listed.
        let current = |user: &User| name_keys(user).into_iter().flatten().any(|p| p.folded.starts_with(from));
        users.extend(accounts::users(db, ids).await?.into_iter().filter(current));
        if users.len() >= most {
            break;
        }
    }
    users.truncate(most);
    Ok(users)
}
