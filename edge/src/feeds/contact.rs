//! Whether this edge alone has lost NATS. Its clients would wait here in vain, and other edges can serve them: they are
//! asked to go. While NATS is away for all, they stay, and none has to reconnect afterwards.
//!
//! Edges report in the shared state that they hear NATS. An edge that hears neither NATS nor the shared state assumes
//! that it is the one cut off.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use natter_nats::{async_nats::Client, connect::PING};
use natter_runtime::{lifecycle::Lifecycle, shared_state::SharedState};
use natter_schemas::{code::Code, id::EventId};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::control::ControlState;
use crate::outbound::sockets::Sockets;

const LOOK: Duration = Duration::from_millis(250);
/// A look that is later than this shows that this process stood still: what came meanwhile is read now.
const STOOD_STILL: Duration = Duration::from_secs(1);
/// What a working connection brings at least every [`PING`] has not come.
const SILENT: Duration = PING.saturating_add(Duration::from_millis(500));
/// A broken connection is given up after three pings, and a cluster has other servers: the next one answers by then.
const ALONE_AFTER: Duration = PING.saturating_mul(3).saturating_add(Duration::from_millis(750));
const REPORT: Duration = Duration::from_secs(1);
/// Where NATS falls silent for all, the last report has ended before an edge decides.
const REPORTED: Duration = Duration::from_millis(2_500);
/// Who hears NATS again reports it after this time only: others come back more slowly, and their clients need not move.
const STEADY: Duration = Duration::from_secs(5);
const SHARED_SILENT: Duration = Duration::from_secs(3);

pub struct ContactWatch {
    pub client: Client,
    pub shared: Arc<dyn SharedState>,
    pub state: Arc<ControlState>,
    pub sockets: Arc<Sockets>,
}

impl ContactWatch {
    pub fn start(self, lifecycle: &Lifecycle) {
        let stop = lifecycle.stop().clone();
        lifecycle.spawn("contact watch", async move {
            stop.run_until_cancelled(self.watch()).await;
        });
    }

    async fn watch(self) {
        let node = EventId::fresh().to_string();
        let mut contact = Contact::new(Instant::now());
        let (mut reported, mut shared_answered, mut alone) = (None, Instant::now(), false);
        loop {
            sleep(LOOK).await;
            let now = Instant::now();
            let silent = contact.look(self.client.statistics().in_bytes.load(Ordering::Relaxed), now);
            if silent < SILENT {
                if std::mem::take(&mut alone) {
                    self.state.set_alone(false);
                    info!("nats is heard again");
                }
                shared_answered = now;
                if contact.is_steady(now) && reported.is_none_or(|last| now.duration_since(last) >= REPORT) {
                    reported = Some(now);
                    // The next report makes up for it.
                    let _ = self.shared.report_contact(&node, REPORTED).await;
                }
                continue;
            }
            let others = match self.shared.others_have_contact(&node).await {
                Ok(others) => {
                    shared_answered = now;
                    others
                }
                Err(_) => now.duration_since(shared_answered) >= SHARED_SILENT,
            };
            if silent >= ALONE_AFTER && others && !alone {
                alone = true;
                self.state.set_alone(true);
            }
            if alone {
                self.close_sockets(silent);
            }
        }
    }

    fn close_sockets(&self, silent: Duration) {
        let sockets = self.sockets.close_all(Code::Restarting);
        if sockets > 0 {
            let silent_ms = silent.as_millis();
            warn!(sockets, silent_ms, "this node alone is cut off from nats; closing sockets");
        }
    }
}

/// What the connection has brought, and since when.
struct Contact {
    bytes: u64,
    looked: Instant,
    heard: Instant,
    /// Of the time in which it was never silent.
    since: Instant,
}

impl Contact {
    const fn new(now: Instant) -> Self {
        Self { bytes: 0, looked: now, heard: now, since: now }
    }

    /// How long it has been silent.
    fn look(&mut self, bytes: u64, now: Instant) -> Duration {
        let stood_still = now.duration_since(self.looked) > STOOD_STILL;
        self.looked = now;
        if bytes != self.bytes || stood_still {
            if now.duration_since(self.heard) >= SILENT {
                self.since = now;
            }
            (self.bytes, self.heard) = (bytes, now);
        }
        now.duration_since(self.heard)
    }

    fn is_steady(&self, now: Instant) -> bool {
        now.duration_since(self.since) >= STEADY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks as often as the watch until then; what comes at each.
    fn look(
        contact: &mut Contact,
        from: Instant,
        until: Duration,
        bytes: impl Fn(Duration) -> u64,
    ) -> Duration {
        let mut at = contact.looked.duration_since(from);
        let mut silent = Duration::ZERO;
        while at < until {
            at += LOOK;
            silent = contact.look(bytes(at), from + at);
        }
        silent
    }

    #[test]
    fn silence_ends_with_any_byte_and_contact_is_steady_some_time_later() {
        let start = Instant::now();
        let mut contact = Contact::new(start);
        let every_second = |at: Duration| at.as_secs();
        assert!(look(&mut contact, start, Duration::from_secs(6), every_second) < SILENT);
        assert!(contact.is_steady(start + Duration::from_secs(6)));
        let silent = look(&mut contact, start, Duration::from_secs(16), |_| 6);
        assert_eq!(silent, Duration::from_secs(10));
        assert!(look(&mut contact, start, Duration::from_secs(17), every_second) < SILENT);
        assert!(!contact.is_steady(start + Duration::from_secs(17)), "it was silent a second ago");
        look(&mut contact, start, Duration::from_secs(23), every_second);
        assert!(contact.is_steady(start + Duration::from_secs(23)));
    }

    #[test]
    fn a_process_that_stood_still_has_not_heard_silence() {
        let start = Instant::now();
        let mut contact = Contact::new(start);
        look(&mut contact, start, Duration::from_secs(1), |_| 1);
        let woke = start + Duration::from_mins(1);
        assert_eq!(contact.look(1, woke), Duration::ZERO);
        assert!(!contact.is_steady(woke));
    }
}
