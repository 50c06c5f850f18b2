//! Rate limits in front of everything: by user or address in the shared state, by socket in this process.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultDirectRateLimiter,
    clock::{Clock, DefaultClock},
};
use natter_runtime::{
    rates::{Class, Rates, Rule},
    shared_state::{Memory, RateDecision, SharedState, Unavailable, local_token_bucket},
};

use crate::api_error::ApiError;

pub struct Admission {
    shared: Arc<dyn SharedState>,
    /// Token buckets of this node alone.
    local: Memory,
    rates: Rates,
}

impl Admission {
    pub fn new(shared: Arc<dyn SharedState>, rates: Rates) -> Self {
        Self { shared, local: Memory::new(), rates }
    }

    /// Takes one token of `who`, counted over all nodes, or refuses with the time to come back. While the shared
    /// state is away this node counts by itself, and log-ins more strictly: guessing passwords must not get easier.
    pub async fn take(&self, class: Class, who: &str) -> Result<(), ApiError> {
        let Some(rule) = self.rates.rule(class) else { return Ok(()) };
        match self.shared.take(class, who, rule).await {
            Ok(taken) => decide(class, rule, taken),
            Err(Unavailable) if class == Class::Login => self.take_from_local(class, who, strict(rule)).await,
            Err(Unavailable) => self.take_from_local(class, who, rule).await,
        }
    }

    /// Takes one token of `who` on this node: sends on a socket make no round trip. A user with sockets on
    /// several nodes has as many buckets.
    pub async fn take_local(&self, class: Class, who: &str) -> Result<(), ApiError> {
        let Some(rule) = self.rates.rule(class) else { return Ok(()) };
        self.take_from_local(class, who, rule).await
    }

    async fn take_from_local(&self, class: Class, who: &str, rule: Rule) -> Result<(), ApiError> {
        self.local.take(class, who, rule).await.map_or(Ok(()), |taken| decide(class, rule, taken))
    }

    /// A new socket's limit on frames of any kind.
    pub fn frame_limit(&self) -> FrameLimit {
        FrameLimit(self.rates.rule(Class::Frames).map(local_token_bucket))
    }
}

/// The token bucket of one socket's frames; `None` when frames are not limited.
pub struct FrameLimit(Option<DefaultDirectRateLimiter>);

impl FrameLimit {
    /// Takes one token; otherwise returns how long until the next.
    pub fn take(&self) -> Result<(), Duration> {
        self.0.as_ref().map_or(Ok(()), |bucket| {
            bucket.check().map_err(|until| until.wait_time_from(DefaultClock::default().now()))
        })
    }
}

fn decide(class: Class, rule: Rule, taken: RateDecision) -> Result<(), ApiError> {
    match taken {
        RateDecision::Allowed { .. } => Ok(()),
        RateDecision::Limited { retry_after } => {
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
