//! Rate limits in front of everything: by user or address from the shared state, by socket locally.

use std::{sync::Arc, time::Duration};

use governor::{
    DefaultDirectRateLimiter,
    clock::{Clock, DefaultClock},
};
use runtime::{
    rates::{Class, Rates},
    shared_state::{SharedState, Taken, local_bucket},
};

use crate::refusal::Refusal;

pub struct Limiter {
    shared: Arc<dyn SharedState>,
    rates: Rates,
}

impl Limiter {
    pub fn new(shared: Arc<dyn SharedState>, rates: Rates) -> Self {
        Self { shared, rates }
    }

    /// Takes one token of `who`, or refuses with the time to come back.
    pub async fn take(&self, class: Class, who: &str) -> Result<(), Refusal> {
        let Some(rule) = self.rates.rule(class) else { return Ok(()) };
        match self.shared.take(class, who, rule).await {
            Ok(Taken::Allowed { .. }) => Ok(()),
            Ok(Taken::Limited { retry_after }) => {
                metrics::counter!("natter_rate_limited_total", "class" => class.name()).increment(1);
                Err(Refusal::limited(class, rule, retry_after))
            }
            // Without the shared state people still talk; what it protects against is bounded elsewhere.
            Err(down) => {
                tracing::warn!(%down, class = class.name(), "rate limit not checked");
                Ok(())
            }
        }
    }

    /// The bucket of one socket's frames; `None` when frames are not limited.
    pub fn frames(&self) -> Option<DefaultDirectRateLimiter> {
        self.rates.rule(Class::Frames).map(local_bucket)
    }
}

/// Takes one token; otherwise how long until the next.
pub fn take_local(bucket: Option<&DefaultDirectRateLimiter>) -> Result<(), Duration> {
    bucket.map_or(Ok(()), |bucket| {
        bucket.check().map_err(|until| until.wait_time_from(DefaultClock::default().now()))
    })
}
