//! Whether this process can do its work now, part by part: for orchestrators and operators.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Unless whoever asks waits for less.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

#[derive(Clone)]
struct Part {
    name: &'static str,
    check: Check,
    /// Whether the process works without it.
    needed: bool,
}

#[derive(Clone, Default)]
pub struct Readiness {
    started: Arc<AtomicBool>,
    parts: Arc<Mutex<Vec<Part>>>,
}

/// Every part, and whether the process can work.
pub struct ReadinessReport {
    pub status: &'static str,
    pub parts: BTreeMap<&'static str, bool>,
}

impl ReadinessReport {
    pub fn is_ready(&self) -> bool {
        self.status == "ok"
    }
}

impl Readiness {
    /// A part without which the process cannot work.
    pub fn needs<F, Up>(&self, name: &'static str, check: F)
    where
        F: Fn() -> Up + Send + Sync + 'static,
        Up: Future<Output = bool> + Send + 'static,
    {
        self.add(name, check, true);
    }

    /// A part that is only shown: its process works without.
    pub fn shows<F, Up>(&self, name: &'static str, check: F)
    where
        F: Fn() -> Up + Send + Sync + 'static,
        Up: Future<Output = bool> + Send + 'static,
    {
        self.add(name, check, false);
    }

    fn add<F, Up>(&self, name: &'static str, check: F, needed: bool)
    where
        F: Fn() -> Up + Send + Sync + 'static,
        Up: Future<Output = bool> + Send + 'static,
    {
        self.parts.lock().push(Part { name, check: Arc::new(move || Box::pin(check())), needed });
    }

    /// Everything runs.
    pub fn started(&self) {
        self.started.store(true, Ordering::Release);
    }

    pub async fn check(&self, draining: &CancellationToken) -> ReadinessReport {
        self.check_within(CHECK_TIMEOUT, draining).await
    }

    /// A part that needs longer than this is as good as down.
    pub async fn check_within(&self, patience: Duration, draining: &CancellationToken) -> ReadinessReport {
        let parts = self.parts.lock().clone();
        let checks = parts.into_iter().map(async |Part { name, check, needed }| {
            (name, needed, tokio::time::timeout(patience, check()).await.unwrap_or(false))
        });
        let checked = join_all(checks).await;
        let works = checked.iter().all(|(_, needed, up)| *up || !needed);
        let parts = checked.into_iter().map(|(name, _, up)| (name, up)).collect();
        let status = if draining.is_cancelled() {
            "draining"
        } else if !self.started.load(Ordering::Acquire) {
            "starting"
        } else if works {
            "ok"
        } else {
            "degraded"
        };
        ReadinessReport { status, parts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_process_is_ready_once_it_started_while_all_its_parts_are_up_and_until_it_drains() {
        let (readiness, stop) = (Readiness::default(), CancellationToken::new());
        let up = Arc::new(AtomicBool::new(true));
        let store = up.clone();
        readiness.needs("store", move || std::future::ready(store.load(Ordering::SeqCst)));
        assert_eq!(readiness.check(&stop).await.status, "starting");
        readiness.started();
        assert!(readiness.check(&stop).await.is_ready());
        up.store(false, Ordering::SeqCst);
        let report = readiness.check(&stop).await;
        assert_eq!((report.status, report.parts["store"]), ("degraded", false));
        up.store(true, Ordering::SeqCst);
        readiness.shows("clock", || std::future::ready(false));
        let report = readiness.check(&stop).await;
        assert!(
            report.is_ready() && !report.parts["clock"],
            "shown, and no reason to be taken out of service"
        );
        readiness.needs("stuck", std::future::pending);
        assert_eq!(readiness.check(&stop).await.status, "degraded");
        stop.cancel();
        assert_eq!(readiness.check(&stop).await.status, "draining");
    }
}
