//! Idempotency records: a fingerprint while an attempt is under way, followed by the receipt after it.

use natter_schemas::{
    event::Timestamp,
    id::{EventId, UserId},
};
use redis::{Script, ScriptInvocation};

use super::{Attempt, Down, Fingerprint, Receipt, Redis, millis, timed};
use crate::shared_state::{ATTEMPT_LIFE, KEY_LIFE};

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
            age: timed(include_str!("age.lua")),
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
fn encode(fingerprint: Fingerprint, receipt: Receipt) -> Vec<u8> {
    [
        &fingerprint[..],
        receipt.message.as_bytes(),
        &receipt.seq.to_be_bytes(),
        &receipt.created_at.0.to_be_bytes(),
    ]
    .concat()
}

fn decode(receipt: &[u8]) -> Option<Receipt> {
    let (message, rest) = receipt.split_first_chunk()?;
    let (seq, rest) = rest.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    rest.is_empty().then(|| Receipt {
        message: EventId::from_bytes(*message),
        seq: u64::from_be_bytes(*seq),
        created_at: Timestamp(i64::from_be_bytes(*at)),
    })
}

/// What a record that was there means for an attempt; `None` for bytes nobody here wrote.
fn judge(record: &[u8], fingerprint: Fingerprint) -> Option<Attempt> {
    let (known, receipt) = record.split_first_chunk::<FINGERPRINT>()?;
    if *known != fingerprint {
        return Some(Attempt::Mismatch);
    }
    if receipt.is_empty() {
        return Some(Attempt::InProgress);
    }
    decode(receipt).map(Attempt::Finished)
}

pub async fn begin(
    redis: &Redis,
    user: UserId,
    key: &str,
    fingerprint: Fingerprint,
) -> Result<Attempt, Down> {
    let mut call = redis.scripts.idempotency.begin.prepare_invoke();
    call.key(name(user, key)).arg(&fingerprint[..]).arg(millis(ATTEMPT_LIFE));
    let record: Option<Vec<u8>> = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    let Some(record) = record else { return Ok(Attempt::First) };
    judge(&record, fingerprint).ok_or_else(|| redis.down("an idempotency record is not readable"))
}

pub async fn finish(
    redis: &Redis,
    user: UserId,
    key: &str,
    fingerprint: Fingerprint,
    receipt: Receipt,
) -> Result<(), Down> {
    let mut write = redis::cmd("SET");
    write.arg(name(user, key)).arg(encode(fingerprint, receipt)).arg("PX").arg(millis(KEY_LIFE));
    redis.call(write.query_async(&mut redis.connection.clone())).await
}

pub async fn abandon(redis: &Redis, user: UserId, key: &str) -> Result<(), Down> {
    let mut call = redis.scripts.idempotency.abandon.prepare_invoke();
    call.key(name(user, key)).arg(FINGERPRINT);
    redis.call(call.invoke_async(&mut redis.connection.clone())).await
}

pub async fn remembers_every_key(redis: &Redis) -> bool {
    let age = redis.scripts.idempotency.age();
    let age: Result<u64, Down> = redis.call(age.invoke_async(&mut redis.connection.clone())).await;
    age.is_ok_and(|age| age > millis(KEY_LIFE))
}
