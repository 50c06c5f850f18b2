//! Whether the cluster responds. While it does not, one call from time to time waits for it, and the others are refused
//! at once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use natter_schemas::breaker::Breaker;
use tokio::time::Instant;
use tracing::{info, warn};

use super::connect::REQUEST;
use crate::{Result, StoreError};

/// A call that was not answered for so long, nor any other meanwhile: repetitions bridge a connection that is lost and made
/// again, and one slow request is no cluster that is gone.
const SILENCE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Responds {
    breaker: Breaker,
    /// Answers of any call.
    answers: AtomicU64,
}

/// A call under way.
pub struct Waiting {
    since: Instant,
    /// As many answers there were when it began.
    answers: u64,
}

impl Responds {
    pub fn new() -> Self {
        metrics::gauge!("natter_store_responds").set(1);
        Self::default()
    }

    /// A call begins, unless the cluster is known not to respond.
    pub fn begin(&self) -> Result<Waiting> {
        if self.breaker.lets_pass(Instant::now().into_std(), REQUEST) {
            return Ok(self.probe());
        }
        metrics::counter!("natter_store_skipped_total").increment(1);
        Err(StoreError::Unavailable("the cluster does not respond".to_owned()))
    }

    /// A call that asks whether it responds: it always may.
    pub fn probe(&self) -> Waiting {
        Waiting { since: Instant::now(), answers: self.answers.load(Ordering::Relaxed) }
    }

    /// An attempt was answered, with an error or without.
    pub fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if self.breaker.succeeded() {
            metrics::gauge!("natter_store_responds").set(1);
            info!("the store responds again");
        }
    }

    /// An attempt of this call was not answered. Returns whether another one is of no use for now.
    pub fn silent(&self, waiting: &Waiting) -> bool {
        let all_silent = self.answers.load(Ordering::Relaxed) == waiting.answers;
        let now = Instant::now();
        if all_silent
            && (self.breaker.is_open() || now - waiting.since >= SILENCE)
            && self.breaker.failed(now.into_std())
        {
            metrics::gauge!("natter_store_responds").set(0);
            warn!(
                "the store does not respond; one call from time to time waits for it, the others are refused at once"
            );
        }
        self.breaker.is_open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_silent_call_among_answered_ones_refuses_none() {
        let responds = Responds::new();
        let (slow, other) = (responds.begin().unwrap(), responds.begin().unwrap());
        tokio::time::advance(REQUEST).await;
        responds.answered();
        assert!(!responds.silent(&slow) && !responds.silent(&other));
        assert!(responds.begin().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_not_a_connection_lost_for_a_moment() {
        let responds = Responds::new();
        let call = responds.begin().unwrap();
        assert!(!responds.silent(&call), "it tries again");
        tokio::time::advance(SILENCE).await;
        assert!(responds.silent(&call), "it gives up");
        assert!(responds.begin().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn while_nothing_answers_one_call_waits_and_an_answer_ends_it() {
        let responds = Responds::new();
        let call = responds.begin().unwrap();
        tokio::time::advance(REQUEST).await;
        assert!(responds.silent(&call));
        for _ in 0..3 {
            assert!(responds.begin().is_err());
            tokio::time::advance(Duration::from_millis(500)).await;
            let probe = responds.begin().unwrap();
            assert!(responds.begin().is_err());
            assert!(responds.silent(&probe), "one attempt is enough");
        }
        responds.answered();
        assert!(responds.begin().is_ok() && responds.begin().is_ok());
    }
}
