//! Who is online. A user is in the sorted set `due` exactly while online, under the deadline of the session
//! that lives longest; the user's own hash holds the sessions, the version and when they were last seen.

use std::time::Duration;

use futures_util::future::join_all;
use natter_schemas::{event::Timestamp, id::UserId, rpc::PresenceChange};
use redis::Script;

use super::{Down, Heartbeat, Presence, Redis, millis, timed};
use crate::shared_state::LAST_SEEN_LIFE;

const STATE: &str = "natter:presence";
const DUE: &str = "natter:presence:due";
const PERSON: &str = "natter:presence:";

/// Beats, or users, of one script: 2 to 3 ms (10 to 15 µs each) in which Redis answers nobody else. More go as
/// several scripts, sent together.
const AT_ONCE: usize = 200;

pub struct Scripts {
    heartbeat: Script,
    leave: Script,
    sweep: Script,
    presence: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self {
            heartbeat: timed(include_str!("heartbeat.lua")),
            leave: timed(include_str!("leave.lua")),
            sweep: timed(include_str!("sweep.lua")),
            presence: timed(include_str!("presence.lua")),
        }
    }
}

/// Scripts answer in flat lists: user, version, ms, user, …
type Told = Vec<(String, u64, i64)>;

fn changes(redis: &Redis, told: Told, online: bool) -> Result<Vec<PresenceChange>, Down> {
    told.into_iter()
        .map(|(user, version, seen)| {
            let user = user.parse().map_err(|_| redis.down("a user of the presence set has no user's id"))?;
            Ok(PresenceChange { user, online, last_seen: Timestamp(seen), version })
        })
        .collect()
}

fn person(user: UserId) -> String {
    format!("{PERSON}{user}")
}

pub async fn heartbeat(
    redis: &Redis,
    heartbeats: &[Heartbeat],
    ttl: Duration,
) -> Result<Vec<PresenceChange>, Down> {
    let answers =
        join_all(heartbeats.chunks(AT_ONCE).map(|heartbeats| heartbeat_some(redis, heartbeats, ttl))).await;
    let failed = answers.iter().any(Result::is_err);
    let came: Vec<PresenceChange> = answers.into_iter().flatten().flatten().collect();
    // What is known to have changed is told in any case: nobody will be told again.
    if failed && came.is_empty() { Err(Down) } else { Ok(came) }
}

async fn heartbeat_some(
    redis: &Redis,
    heartbeats: &[Heartbeat],
    ttl: Duration,
) -> Result<Vec<PresenceChange>, Down> {
    let mut call = redis.scripts.presence.heartbeat.prepare_invoke();
    call.key(STATE).key(DUE).arg(millis(ttl)).arg(millis(LAST_SEEN_LIFE));
    for heartbeat in heartbeats {
        call.key(person(heartbeat.user)).arg(heartbeat.user.to_string()).arg(&heartbeat.session);
    }
    let told = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    changes(redis, told, true)
}

pub async fn leave(redis: &Redis, heartbeat: &Heartbeat) -> Result<Option<PresenceChange>, Down> {
    let mut call = redis.scripts.presence.leave.prepare_invoke();
    call.key(DUE).key(person(heartbeat.user));
    call.arg(heartbeat.user.to_string()).arg(&heartbeat.session).arg(millis(LAST_SEEN_LIFE));
    let told: Vec<i64> = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    let &[version, seen] = &told[..] else { return Ok(None) };
    Ok(Some(PresenceChange {
        user: heartbeat.user,
        online: false,
        last_seen: Timestamp(seen),
        version: version.unsigned_abs(),
    }))
}

pub async fn sweep(redis: &Redis, limit: usize) -> Result<Vec<PresenceChange>, Down> {
    let mut call = redis.scripts.presence.sweep.prepare_invoke();
    call.key(STATE).key(DUE).arg(limit.min(AT_ONCE)).arg(millis(LAST_SEEN_LIFE)).arg(PERSON);
    let told = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    changes(redis, told, false)
}

pub async fn presence(redis: &Redis, users: &[UserId]) -> Result<Vec<Presence>, Down> {
    let answers = join_all(users.chunks(AT_ONCE).map(|users| presence_of_some(redis, users))).await;
    let mut people = Vec::with_capacity(users.len());
    for answer in answers {
        people.extend(answer?);
    }
    Ok(people)
}

async fn presence_of_some(redis: &Redis, users: &[UserId]) -> Result<Vec<Presence>, Down> {
    let mut call = redis.scripts.presence.presence.prepare_invoke();
    call.key(STATE).key(DUE);
    for user in users {
        call.key(person(*user)).arg(user.to_string());
    }
    let told: Vec<(bool, i64, u64)> = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    let of = |(user, (online, seen, version)): (&UserId, (bool, i64, u64))| Presence {
        user: *user,
        online,
        last_seen: (seen >= 0).then_some(Timestamp(seen)),
        version,
    };
    Ok(users.iter().zip(told).map(of).collect())
}
