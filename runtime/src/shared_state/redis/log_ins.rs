//! Attempts to log in to an account, and the networks that it knows.

use std::time::Duration;

use natter_schemas::limits;
use redis::Script;

use super::{LogInOutcome, Redis, Unavailable, millis, with_clock};

pub struct Scripts {
    attempt: Script,
    settled: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self {
            attempt: with_clock(include_str!("log_in.lua")),
            settled: Script::new(include_str!("log_in_settled.lua")),
        }
    }
}

fn names(account: &str, network: &str) -> [String; 2] {
    [format!("natter:log-ins:{account}"), format!("natter:log-ins:{account}:{network}")]
}

pub async fn attempt(redis: &Redis, account: &str, network: &str) -> Result<Option<Duration>, Unavailable> {
    let [of_account, of_network] = names(account, network);
    let mut call = redis.scripts.log_ins.attempt.prepare_invoke();
    call.key(of_account)
        .key(of_network)
        .arg(limits::LOG_INS_AT_ONCE)
        .arg(millis(*limits::LOG_IN_WAIT.start()))
        .arg(millis(*limits::LOG_IN_WAIT.end()))
        .arg(millis(limits::LOG_INS_FORGOTTEN));
    let wait: u64 = redis.call(call.invoke_async(&mut redis.connection.clone())).await?;
    Ok((wait > 0).then(|| Duration::from_millis(wait)))
}

pub async fn settle(
    redis: &Redis,
    account: &str,
    network: &str,
    outcome: LogInOutcome,
) -> Result<(), Unavailable> {
    let [of_account, of_network] = names(account, network);
    let mut call = redis.scripts.log_ins.settled.prepare_invoke();
    call.key(of_account)
        .key(of_network)
        .arg(match outcome {
            LogInOutcome::Succeeded => "succeeded",
            LogInOutcome::Unneeded => "unneeded",
            LogInOutcome::Undecided => "undecided",
        })
        .arg(millis(limits::LOG_IN_NETWORK_KNOWN));
    redis.call(call.invoke_async(&mut redis.connection.clone())).await
}
