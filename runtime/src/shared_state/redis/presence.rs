//! Who is online. A user is in the sorted set `due` exactly while online, under the deadline of the session
//! that lives longest; the user's own hash holds the sessions, the version and when they were last seen.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::future::join_all;
use natter_schemas::{event::Timestamp, id::UserId, rpc::PresenceChange};
use redis::Script;

use super::{Heartbeat, Presence, Redis, Unavailable, millis};
use crate::shared_state::LAST_SEEN_TTL;

const STATE: &str = "natter:presence";
const DUE: &str = "natter:presence:due";
const USER: &str = "natter:presence:";

/// Heartbeats, or users, of one script: 2 to 3 ms (10 to 15 µs each) in which Redis serves no other client. More go as
/// several scripts, sent together.
const BATCH_SIZE: usize = 200;

pub struct Scripts {
    heartbeat: Script,
    leave: Script,
    sweep: Script,
    presence: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self {
            heartbeat: script(include_str!("heartbeat.lua")),
            leave: script(include_str!("leave.lua")),
            sweep: script(include_str!("sweep.lua")),
            presence: script(include_str!("presence.lua")),
        }
    }
}

fn script(text: &str) -> Script {
    Script::new(&[include_str!("clock.lua"), include_str!("presence_clock.lua"), text].concat())
}

/// The highest version that this process knows of: Redis counts on above it, whatever it has forgotten.
fn seen(redis: &Redis) -> u64 {
    redis.version_seen.load(Ordering::Relaxed)
}

pub fn observe(redis: &Redis, version: u64) {
    redis.version_seen.fetch_max(version, Ordering::Relaxed);
}

/// Scripts return flat lists: user, version, ms, user, …
type ChangeRows = Vec<(String, u64, i64)>;

fn changes(redis: &Redis, rows: ChangeRows, online: bool) -> Result<Vec<PresenceChange>, Unavailable> {
    rows.into_iter()
        .map(|(user, version, seen)| {
            let user =
                user.parse().map_err(|_| redis.unavailable("a user of the presence set has no user's id"))?;
            observe(redis, version);
            Ok(PresenceChange { user, online, last_seen: Timestamp(seen), version })
        })
        .collect()
}

fn user_key(user: UserId) -> String {
    format!("{USER}{user}")
}

pub async fn heartbeat(
    redis: &Redis,
    heartbeats: &[Heartbeat],
    ttl: Duration,
) -> Result<Vec<PresenceChange>, Unavailable> {
    let answers =
        join_all(heartbeats.chunks(BATCH_SIZE).map(|heartbeats| heartbeat_some(redis, heartbeats, ttl)))
            .await;
    let failed = answers.iter().any(Result::is_err);
    let changed: Vec<PresenceChange> = answers.into_iter().flatten().flatten().collect();
    // Known changes are returned in any case: no later call reports them again.
    if failed && changed.is_empty() { Err(Unavailable) } else { Ok(changed) }
}

async fn heartbeat_some(
    redis: &Redis,
    heartbeats: &[Heartbeat],
    ttl: Duration,
) -> Result<Vec<PresenceChange>, Unavailable> {
    let mut call = redis.scripts.presence.heartbeat.prepare_invoke();
    call.key(STATE).key(DUE).arg(seen(redis)).arg(millis(ttl)).arg(millis(LAST_SEEN_TTL));
    for heartbeat in heartbeats {
        call.key(user_key(heartbeat.user)).arg(heartbeat.user.to_string()).arg(&heartbeat.session);
    }
    let rows = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    changes(redis, rows, true)
}

pub async fn leave(redis: &Redis, heartbeat: &Heartbeat) -> Result<Option<PresenceChange>, Unavailable> {
    let mut call = redis.scripts.presence.leave.prepare_invoke();
    call.key(STATE).key(DUE).key(user_key(heartbeat.user)).arg(seen(redis));
    call.arg(heartbeat.user.to_string()).arg(&heartbeat.session).arg(millis(LAST_SEEN_TTL));
    let rows: Vec<i64> = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    let &[version, seen] = &rows[..] else { return Ok(None) };
    observe(redis, version.unsigned_abs());
    Ok(Some(PresenceChange {
        user: heartbeat.user,
        online: false,
        last_seen: Timestamp(seen),
        version: version.unsigned_abs(),
    }))
}

pub async fn sweep(redis: &Redis, limit: usize) -> Result<Vec<PresenceChange>, Unavailable> {
    let mut call = redis.scripts.presence.sweep.prepare_invoke();
    call.key(STATE).key(DUE).arg(seen(redis)).arg(limit.min(BATCH_SIZE)).arg(millis(LAST_SEEN_TTL)).arg(USER);
    let rows = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    changes(redis, rows, false)
}

pub async fn presence(redis: &Redis, users: &[UserId]) -> Result<Vec<Presence>, Unavailable> {
    let answers = join_all(users.chunks(BATCH_SIZE).map(|users| presence_of_some(redis, users))).await;
    let mut all = Vec::with_capacity(users.len());
    for answer in answers {
        all.extend(answer?);
    }
    Ok(all)
}

async fn presence_of_some(redis: &Redis, users: &[UserId]) -> Result<Vec<Presence>, Unavailable> {
    let mut call = redis.scripts.presence.presence.prepare_invoke();
    call.key(STATE).key(DUE).arg(seen(redis));
    for user in users {
        call.key(user_key(*user)).arg(user.to_string());
    }
    let rows: Vec<(bool, i64, u64)> = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    let of = |(user, (online, seen, version)): (&UserId, (bool, i64, u64))| {
        observe(redis, version);
        Presence { user: *user, online, last_seen: (seen >= 0).then_some(Timestamp(seen)), version }
    };
    Ok(users.iter().zip(rows).map(of).collect())
}
