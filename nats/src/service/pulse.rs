//! Notices when this process stood still: suspended, or without a core. Calls that waited for it meanwhile do not show
//! since when, and their callers have perhaps given up: each is then taken to be as old as it may be.

use std::{sync::Arc, time::Duration};

use async_nats::Client;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::connect::round_trip;

const TICK: Duration = Duration::from_millis(100);
/// A tick later than this is a standstill; shorter ones happen on any busy machine.
const LATE: Duration = Duration::from_millis(500);
/// For the server to answer after a standstill. A connection that broke meanwhile has lost what waited in it.
const SETTLING: Duration = Duration::from_secs(2);

/// One for the endpoints of a service.
pub struct Pulse(Mutex<State>);

struct State {
    /// Of the newest tick.
    last: Instant,
    /// Of a standstill whose calls may still be queued.
    stood_still: Duration,
    /// Ticks have ended, as calls are about to.
    ended: bool,
}

impl Pulse {
    /// Ends on `tracker` when `stop` is cancelled.
    pub fn start(client: Client, tracker: &TaskTracker, stop: CancellationToken) -> Arc<Self> {
        let pulse = Arc::new(Self(Mutex::new(State::at(Instant::now()))));
        let ticking = Arc::clone(&pulse);
        tracker.spawn(async move {
            stop.run_until_cancelled(ticking.tick(client)).await;
            ticking.0.lock().ended = true;
        });
        pulse
    }

    /// How long a call that is taken off its subscription now may have waited there.
    pub fn possible_wait(&self) -> Duration {
        self.0.lock().possible_wait(Instant::now())
    }

    async fn tick(&self, client: Client) {
        loop {
            sleep(TICK).await;
            let Some(stood_still) = self.0.lock().tick(Instant::now()) else { continue };
            metrics::counter!("natter_standstills_total").increment(1);
            let stood_ms = stood_still.as_millis();
            warn!(stood_ms, "this process stood still; calls that waited for it meanwhile count as that old");
            // What the server had sent by then has arrived when it answers, and a tick later it was taken.
            let _ = timeout(SETTLING, round_trip(&client)).await;
            sleep(TICK).await;
            *self.0.lock() = State::at(Instant::now());
        }
    }
}

impl State {
    const fn at(now: Instant) -> Self {
        Self { last: now, stood_still: Duration::ZERO, ended: false }
    }

    fn since_last(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.last)).filter(|since| *since > LATE)
    }

    /// Returns how long there was none, if that was a standstill.
    fn tick(&mut self, now: Instant) -> Option<Duration> {
        let late = self.since_last(now);
        self.last = now;
        self.stood_still += late.unwrap_or_default();
        late
    }

    fn possible_wait(&self, now: Instant) -> Duration {
        if self.ended { Duration::ZERO } else { self.stood_still + self.since_last(now).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_behind_a_late_tick_is_as_old_as_the_tick_is_late() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut state = State::at(start);
        assert_eq!(state.possible_wait(at(400)), Duration::ZERO);
        assert_eq!(state.possible_wait(at(5_000)), Duration::from_secs(5), "before the tick notices");
        assert_eq!(state.tick(at(5_000)), Some(Duration::from_secs(5)));
        assert_eq!(state.possible_wait(at(5_100)), Duration::from_secs(5), "until what waited was taken");
        assert_eq!(State::at(at(5_200)).possible_wait(at(5_300)), Duration::ZERO);
        state.ended = true;
        assert_eq!(state.possible_wait(at(60_000)), Duration::ZERO, "no tick is awaited any more");
    }

    #[test]
    fn a_tick_that_is_a_little_late_means_nothing() {
        let start = Instant::now();
        let mut state = State::at(start);
        assert_eq!(state.tick(start + LATE), None);
        assert_eq!(state.possible_wait(start + LATE), Duration::ZERO);
    }
}
