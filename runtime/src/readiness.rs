//! Whether this process can do its work now, part by part: for orchestrators, and for whoever is woken by one.

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

/// A part that needs longer is as good as down.
const WITHIN: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

#[derive(Clone, Default)]
pub struct Readiness {
    started: Arc<AtomicBool>,
    parts: Arc<Mutex<Vec<(&'static str, Check)>>>,
}

/// What was found: every part, and whether the process can work.
pub struct Found {
    pub status: &'static str,
    pub parts: BTreeMap<&'static str, bool>,
}

impl Found {
    pub fn well(&self) -> bool {
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
        self.parts.lock().push((name, Arc::new(move || Box::pin(check()))));
    }

    /// Everything runs.
    pub fn started(&self) {
        self.started.store(true, Ordering::Release);
    }

    pub async fn look(&self, stop: &CancellationToken) -> Found {
        let parts = self.parts.lock().clone();
        let looks = parts
            .into_iter()
            .map(async |(name, check)| (name, tokio::time::timeout(WITHIN, check()).await.unwrap_or(false)));
        let parts: BTreeMap<_, _> = join_all(looks).await.into_iter().collect();
        let status = if stop.is_cancelled() {
            "draining"
        } else if !self.started.load(Ordering::Acquire) {
            "starting"
        } else if parts.values().all(|up| *up) {
            "ok"
        } else {
            "degraded"
        };
        Found { status, parts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_process_is_well_once_it_started_while_all_its_parts_are_up_and_until_it_drains() {
        let (readiness, stop) = (Readiness::default(), CancellationToken::new());
        let up = Arc::new(AtomicBool::new(true));
        let store = up.clone();
        readiness.needs("store", move || std::future::ready(store.load(Ordering::SeqCst)));
        assert_eq!(readiness.look(&stop).await.status, "starting");
        readiness.started();
        assert!(readiness.look(&stop).await.well());
        up.store(false, Ordering::SeqCst);
        let found = readiness.look(&stop).await;
        assert_eq!((found.status, found.parts["store"]), ("degraded", false));
        up.store(true, Ordering::SeqCst);
        readiness.needs("stuck", std::future::pending);
        assert_eq!(readiness.look(&stop).await.status, "degraded");
        stop.cancel();
        assert_eq!(readiness.look(&stop).await.status, "draining");
    }
}
