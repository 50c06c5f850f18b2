//! People found by the beginning of a name.

use std::collections::BTreeMap;

use natter_schemas::{id::UserId, rpc::User};
use uuid::Uuid;

use super::{abreast::each, accounts, cluster::Cluster, columns::raw};
use crate::{Result, fold::fold};

const SHARDS: i8 = 16;
const USERNAME: i8 = 1;
const DISPLAY_NAME: i8 = 2;
/// Display names looked at a shard.
const LOOKED_AT: usize = 64;

/// Where a name is found.
struct Place {
    initial: String,
    shard: i8,
    kind: i8,
    folded: String,
}

fn places(user: &User) -> [Option<Place>; 2] {
    [place(user, USERNAME, &user.username), place(user, DISPLAY_NAME, &user.display_name)]
}

fn place(user: &User, kind: i8, name: &str) -> Option<Place> {
    let folded = fold(name);
    let [.., last] = *user.id.as_bytes();
    let shard = i8::try_from(last % 16).unwrap_or_default();
    Some(Place { initial: initial(&folded)?, shard, kind, folded })
}

/// `None` for an empty name, which nobody looks for.
fn initial(folded: &str) -> Option<String> {
    folded.chars().next().map(String::from)
}

pub async fn add(db: &Cluster, user: &User) -> Result<()> {
    for Place { initial, shard, kind, folded } in places(user).into_iter().flatten() {
        let row = (initial, shard, kind, folded.as_bytes(), raw(user.id.as_bytes()), &user.username);
        db.write(&db.statements.add_name, row).await?;
    }
    Ok(())
}

pub async fn remove(db: &Cluster, user: &User) -> Result<()> {
    for place in places(user).into_iter().flatten() {
        delete(db, user, place).await?;
    }
    Ok(())
}

/// Takes out the display name of before, unless it folds like the one of now.
pub async fn replace(db: &Cluster, before: &User, after: &User) -> Result<()> {
    match place(before, DISPLAY_NAME, &before.display_name) {
        Some(old) if old.folded != fold(&after.display_name) => delete(db, before, old).await,
        _ => Ok(()),
    }
}

async fn delete(db: &Cluster, user: &User, Place { initial, shard, kind, folded }: Place) -> Result<()> {
    let row = (initial, shard, kind, folded.as_bytes(), raw(user.id.as_bytes()));
    db.write(&db.statements.delete_name, row).await
}

/// By username. Of people found by their username these are the first `most`. By display name 16 × 64 people
/// are looked at, the first by display name: beyond 1,024 with the same beginning the answer is some of them,
/// not the first by username; more letters make it exact. An empty prefix finds nobody.
pub async fn search(db: &Cluster, prefix: &str, most: usize) -> Result<Vec<User>> {
    let from = fold(prefix);
    let Some(initial) = initial(&from).filter(|_| most > 0) else { return Ok(Vec::new()) };
    // No byte of UTF-8 is 0xFF: everything that begins with the prefix lies between.
    let to = [from.as_bytes(), &[0xFF]].concat();
    let shelves = (0..SHARDS).flat_map(|shard| [(shard, USERNAME, most), (shard, DISPLAY_NAME, LOOKED_AT)]);
    let (from, to) = (from.as_str(), to.as_slice());
    let found = each(shelves, |(shard, kind, most)| {
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
        // A name that was changed may still be on its shelf.
        let current = |user: &User| places(user).into_iter().flatten().any(|p| p.folded.starts_with(from));
        users.extend(accounts::users(db, ids).await?.into_iter().filter(current));
        if users.len() >= most {
            break;
        }
    }
    users.truncate(most);
    Ok(users)
}
