//! Token buckets of rate limits.

use std::time::Duration;

use redis::Script;

use super::{RateDecision, Redis, Unavailable, with_clock};
use crate::rates::{Cost, Rule};

pub struct Scripts {
    take: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self { take: with_clock(include_str!("take.lua")) }
    }
}

pub async fn take(redis: &Redis, cost: Cost, who: &str, rule: Rule) -> Result<RateDecision, Unavailable> {
    // At least a microsecond, the unit of Redis' clock: a million a second are as good as no limit.
    let interval = (rule.window / rule.count.get()).as_micros().max(1);
    let mut call = redis.scripts.rate_limits.take.prepare_invoke();
    call.key(format!("natter:bucket:{}:{who}", cost.class.name()))
        .arg(u64::try_from(interval).unwrap_or(u64::MAX))
        .arg(rule.burst.get())
        .arg(cost.tokens(rule).get());
    let (remaining, wait): (i64, i64) = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    Ok(u32::try_from(remaining).map_or_else(
        |_| RateDecision::Limited { retry_after: Duration::from_micros(wait.unsigned_abs()) },
        |remaining| RateDecision::Allowed { remaining },
    ))
}
