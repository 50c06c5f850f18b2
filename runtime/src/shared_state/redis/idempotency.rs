//! Idempotency records: a fingerprint while an attempt is under way, followed by the result after it.

use natter_schemas::{
    event::Timestamp,
    id::{EventId, UserId},
};
use redis::{Script, ScriptInvocation};

use super::{Fingerprint, KeyClaim, RecordedResult, Redis, Unavailable, millis, with_clock};
use crate::shared_state::{CLAIM_TTL, KEY_TTL};

const FINGERPRINT: usize = size_of::<Fingerprint>();

pub struct Scripts {
    begin: Script,
    abandon: Script,
    age: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self {
            begin: Script::new(include_str!("begin.lua")),
            abandon: Script::new(include_str!("abandon.lua")),
            age: with_clock(include_str!("age.lua")),
        }
    }

    pub fn age(&self) -> ScriptInvocation<'_> {
        self.age.key("natter:born")
    }
}

fn name(user: UserId, key: &str) -> String {
    format!("natter:key:{user}:{key}")
}

/// Big-endian, 16 + 8 + 8 bytes.
fn encode(fingerprint: Fingerprint, result: RecordedResult) -> Vec<u8> {
    [
        &fingerprint[..],
        result.message.as_bytes(),
        &result.seq.to_be_bytes(),
        &result.created_at.0.to_be_bytes(),
    ]
    .concat()
}

fn decode(result: &[u8]) -> Option<RecordedResult> {
    let (message, rest) = result.split_first_chunk()?;
    let (seq, rest) = rest.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    rest.is_empty().then(|| RecordedResult {
        message: EventId::from_bytes(*message),
        seq: u64::from_be_bytes(*seq),
        created_at: Timestamp(i64::from_be_bytes(*at)),
    })
}

/// What a record that was there means for an attempt; `None` for bytes that this program never writes.
fn interpret(record: &[u8], fingerprint: Fingerprint) -> Option<KeyClaim> {
    let (known, result) = record.split_first_chunk::<FINGERPRINT>()?;
    if *known != fingerprint {
        return Some(KeyClaim::Mismatch);
    }
    if result.is_empty() {
        return Some(KeyClaim::InProgress);
    }
    decode(result).map(KeyClaim::Finished)
}

pub async fn begin(
    redis: &Redis,
    user: UserId,
    key: &str,
    fingerprint: Fingerprint,
) -> Result<KeyClaim, Unavailable> {
    let mut call = redis.scripts.idempotency.begin.prepare_invoke();
    call.key(name(user, key)).arg(&fingerprint[..]).arg(millis(CLAIM_TTL));
    let record: Option<Vec<u8>> = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    let Some(record) = record else { return Ok(KeyClaim::Claimed) };
    interpret(&record, fingerprint).ok_or_else(|| redis.unavailable("an idempotency record is not readable"))
}

pub async fn finish(
    redis: &Redis,
    user: UserId,
    key: &str,
    fingerprint: Fingerprint,
    result: RecordedResult,
) -> Result<(), Unavailable> {
    let mut write = redis::cmd("SET");
    write.arg(name(user, key)).arg(encode(fingerprint, result)).arg("PX").arg(millis(KEY_TTL));
    redis.call(write.query_async(&mut redis.connection.clone())).await
}

pub async fn abandon(redis: &Redis, user: UserId, key: &str) -> Result<(), Unavailable> {
    let mut call = redis.scripts.idempotency.abandon.prepare_invoke();
    call.key(name(user, key)).arg(FINGERPRINT);
    redis.call(call.invoke_async(&mut redis.connection.clone())).await
}

pub async fn remembers_every_key(redis: &Redis) -> bool {
    let age = redis.scripts.idempotency.age();
    let age: Result<u64, Unavailable> = redis.call(age.invoke_async(&mut redis.connection.clone())).await;
    age.is_ok_and(|age| age > millis(KEY_TTL))
}
