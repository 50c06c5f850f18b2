//! What time it is, for everything that processes of a deployment decide by time together: that of the server that
//! leads the stream CONTROL, measured from time to time and counted on with the monotonic clock. Whatever the clock
//! of this machine shows, two processes agree to within a round trip, and none sees time fall.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_nats::jetstream::Context;
use natter_schemas::event::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use crate::{
    log::{LogError, info as ask},
    topology::CONTROL,
};

/// Quartz drifts by 0.1 ms a second at worst: 3 ms until the next measurement.
const EVERY: Duration = Duration::from_secs(30);
/// A slower answer says less than the last one does: half of it is the error.
const SLOW: Duration = Duration::from_millis(200);
/// Of the first measurement, without which a process does not start.
const ATTEMPTS: usize = 5;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);
/// A machine that keeps its time is within milliseconds; what people compare by eye is a second.
const TOLERATED_MS: i64 = 1_000;

/// The log's time. Clones share it.
#[derive(Clone)]
pub struct LogClock(Arc<State>);

struct State {
    origin: Instant,
    /// The log's time at `origin`, in milliseconds.
    at_origin: AtomicI64,
    /// The newest time given out: another leader's clock may be behind.
    latest: AtomicI64,
    /// How far this machine's clock is ahead of the log's, in milliseconds.
    ahead: AtomicI64,
}

/// What one question found.
struct Measurement {
    server: Timestamp,
    /// When the server's clock showed it, by ours; half the round trip is the error.
    at: Instant,
    ahead: i64,
    took: Duration,
}

#[derive(Deserialize)]
struct Answer {
    ts: Timestamp,
}

impl LogClock {
    /// This machine's clock, until it is compared with a log's.
    pub fn own() -> Self {
        Self(Arc::new(State {
            origin: Instant::now(),
            at_origin: AtomicI64::new(Timestamp::now().0),
            latest: AtomicI64::new(i64::MIN),
            ahead: AtomicI64::new(0),
        }))
    }

    /// Measures once, and from then on from time to time until `stop`.
    ///
    /// # Errors
    /// The log's server does not say what time it is.
    pub async fn start(
        js: Context,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, LogError> {
        let clock = Self::own();
        clock.follow(&first(&js).await?);
        let (measured, task) = (clock.clone(), async move { clock.keep(&js).await });
        tracker.spawn(async move { stop.run_until_cancelled(task).await });
        Ok(measured)
    }

    /// The log's time now. It never falls.
    pub fn now(&self) -> Timestamp {
        let now = self.0.at_origin.load(Ordering::Relaxed).saturating_add(millis(self.0.origin.elapsed()));
        Timestamp(self.0.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }

    /// How far this machine's clock is ahead of the log's, in milliseconds; negative: behind.
    pub fn ahead_ms(&self) -> i64 {
        self.0.ahead.load(Ordering::Relaxed)
    }

    /// Whether this machine's clock shows what the log's does, as far as people notice.
    pub fn is_right(&self) -> bool {
        self.ahead_ms().abs() < TOLERATED_MS
    }

    async fn keep(&self, js: &Context) {
        loop {
            sleep(EVERY).await;
            match measure(js).await {
                Ok(found) if found.took <= SLOW => self.follow(&found),
                Ok(found) => {
                    debug!(
                        took_ms = found.took.as_millis(),
                        "slow answer; the log's time is measured at the next"
                    );
                }
                Err(error) => debug!(%error, "the log's time was not measured; counted on from the last"),
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge in seconds; milliseconds of an age fit a double")]
    fn follow(&self, found: &Measurement) {
        let elapsed = millis(found.at.saturating_duration_since(self.0.origin));
        self.0.at_origin.store(found.server.0.saturating_sub(elapsed), Ordering::Relaxed);
        let before = self.0.ahead.swap(found.ahead, Ordering::Relaxed);
        let ahead_ms = found.ahead;
        metrics::gauge!("natter_clock_ahead_seconds").set(ahead_ms as f64 / 1_000.0);
        match (before.abs() < TOLERATED_MS, self.is_right()) {
            (true, false) => warn!(
                ahead_ms,
                "this machine's clock is not the log's; only times in log lines are wrong, see to its NTP"
            ),
            (false, true) => info!(ahead_ms, "this machine's clock is the log's again"),
            _ => {}
        }
    }
}

async fn first(js: &Context) -> Result<Measurement, LogError> {
    let mut attempt = 1;
    loop {
        match measure(js).await {
            Err(LogError::Unavailable(_)) if attempt < ATTEMPTS => sleep(BETWEEN_ATTEMPTS).await,
            found => return found,
        }
        attempt += 1;
    }
}

async fn measure(js: &Context) -> Result<Measurement, LogError> {
    let asked = Instant::now();
    let Answer { ts: server } = ask(js, format!("STREAM.INFO.{CONTROL}"), &json!({})).await?;
    let (took, own) = (asked.elapsed(), Timestamp::now());
    let half = took / 2;
    Ok(Measurement { server, at: asked + half, ahead: own.0 - millis(half) - server.0, took })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(server: i64, ahead: i64) -> Measurement {
        Measurement { server: Timestamp(server), at: Instant::now(), ahead, took: Duration::ZERO }
    }

    #[tokio::test(start_paused = true)]
    async fn it_shows_the_servers_time_and_counts_on() {
        let clock = LogClock::own();
        clock.follow(&found(5_000_000_000_000, -300_000));
        assert_eq!(clock.now(), Timestamp(5_000_000_000_000));
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!(clock.now(), Timestamp(5_000_000_007_000));
        assert_eq!((clock.ahead_ms(), clock.is_right()), (-300_000, false));
    }

    #[tokio::test(start_paused = true)]
    async fn behind_a_server_whose_clock_is_behind_it_stands_still() {
        let clock = LogClock::own();
        clock.follow(&found(5_000_000_000_000, 0));
        let before = clock.now();
        clock.follow(&found(5_000_000_000_000 - 60_000, 60_000));
        assert_eq!(clock.now(), before);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(clock.now().0, before.0 + 1_000);
    }
}
