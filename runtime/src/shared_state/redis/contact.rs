//! Which nodes hear NATS.

use std::time::Duration;

use redis::Script;

use super::{Redis, Unavailable, millis, with_clock};

const CONTACT: &str = "natter:contact";

pub struct Scripts {
    report: Script,
    others: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self {
            report: with_clock(include_str!("contact_report.lua")),
            others: with_clock(include_str!("contact_others.lua")),
        }
    }
}

pub async fn report(redis: &Redis, node: &str, ttl: Duration) -> Result<(), Unavailable> {
    let mut call = redis.scripts.contact.report.prepare_invoke();
    call.key(CONTACT).arg(node).arg(millis(ttl));
    redis.call(call.invoke_async(&mut redis.connection.clone())).await
}

pub async fn others(redis: &Redis, node: &str) -> Result<bool, Unavailable> {
    let mut call = redis.scripts.contact.others.prepare_invoke();
    call.key(CONTACT).arg(node);
    let others: i64 = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    Ok(others > 0)
}
