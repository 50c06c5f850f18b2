//! Rate limits in front of everything: by user or address from the shared state, by socket locally.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultDirectRateLimiter,
    clock::{Clock, DefaultClock},
};
use natter_runtime::{
    rates::{Class, Rates, Rule},
    shared_state::{Down, Memory, SharedState, Taken, local_bucket},
};

use crate::api_error::ApiError;

pub struct Limiter {
    shared: Arc<dyn SharedState>,
    /// Buckets of this node alone.
    here: Memory,
    rates: Rates,
}

impl Limiter {
    pub fn new(shared: Arc<dyn SharedState>, rates: Rates) -> Self {
        Self { shared, here: Memory::new(), rates }
    }

    /// Takes one token of `who`, over all nodes, or refuses with the time to come back. While the shared state is
    /// away this node counts for itself, and log-ins more strictly: who guesses passwords must gain nothing.
    pub async fn take(&self, class: Class, who: &str) -> Result<(), ApiError> {
        let Some(rule) = self.rates.rule(class) else { return Ok(()) };
        match self.shared.take(class, who, rule).await {
            Ok(taken) => decide(class, rule, taken),
            Err(Down) if class == Class::Login => self.take_from_here(class, who, strict(rule)).await,
            Err(Down) => self.take_from_here(class, who, rule).await,
        }
    }

    /// Takes one token of `who` on this node: sends on a socket make no round trip. Somebody with sockets on
    /// several nodes has as many buckets.
    pub async fn take_here(&self, class: Class, who: &str) -> Result<(), ApiError> {
        let Some(rule) = self.rates.rule(class) else { return Ok(()) };
        self.take_from_here(class, who, rule).await
    }

    async fn take_from_here(&self, class: Class, who: &str, rule: Rule) -> Result<(), ApiError> {
        self.here.take(class, who, rule).await.map_or(Ok(()), |taken| decide(class, rule, taken))
    }

    /// The bucket of one socket's frames; `None` when frames are not limited.
    pub fn frames(&self) -> Option<DefaultDirectRateLimiter> {
        self.rates.rule(Class::Frames).map(local_bucket)
    }
}

fn decide(class: Class, rule: Rule, taken: Taken) -> Result<(), ApiError> {
    match taken {
        Taken::Allowed { .. } => Ok(()),
        Taken::Limited { retry_after } => {
            metrics::counter!("natter_rate_limited_total", "class" => class.name()).increment(1);
            Err(ApiError::limited(class, rule, retry_after))
        }
    }
}

/// A quarter of the burst: enough for a person, useless for a list of passwords.
fn strict(rule: Rule) -> Rule {
    let burst = NonZeroU32::new(rule.burst.get() / 4).unwrap_or(NonZeroU32::MIN);
    Rule { burst, ..rule }
}

/// Takes one token; otherwise how long until the next.
pub fn take_local(bucket: Option<&DefaultDirectRateLimiter>) -> Result<(), Duration> {
    bucket.map_or(Ok(()), |bucket| {
        bucket.check().map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    })
}
