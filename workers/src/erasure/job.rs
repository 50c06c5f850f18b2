use std::time::Duration;

use natter_store::Erasure;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{EraseError, Eraser, Record};

/// How often open erasures are looked for: one question to the store.
const EVERY: Duration = Duration::from_secs(1);
/// Erasures that are gone on with between two looks, one after another.
const AT_ONCE: usize = 16;

/// Goes on with open erasures until `stop`. Any number of workers may: a step that two do at once is done once more, and one
/// of them records it.
pub async fn run(eraser: Eraser, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let round = stop.run_until_cancelled(Box::pin(eraser.round())).await;
        match round {
            Some(Err(error)) if !failing => {
                failing = true;
                warn!(%error, "open erasures cannot be read; they are when the store is back");
            }
            Some(result) => failing = result.is_err(),
            None => break,
        }
    }
}

impl Eraser {
    async fn round(&self) -> Result<(), EraseError> {
        for erasure in self.store.open_erasures(AT_ONCE).await? {
            let user = erasure.user;
            match self.finish(erasure).await {
                Ok(()) => {}
                Err(error @ EraseError::Record(_)) => error!(%user, %error, "an erasure stands still"),
                Err(error) => warn!(%user, %error, "a step of an erasure was not done; it is tried again"),
            }
        }
        Ok(())
    }

    async fn finish(&self, erasure: Erasure) -> Result<(), EraseError> {
        let mut next = Some(erasure);
        while let Some(erasure) = next {
            next = self.advance(erasure).await?;
            // What begins again waits for the next look.
            next = match next {
                Some(erasure) if Record::read(&erasure.record)?.steps.is_empty() => None,
                next => next,
            };
        }
        Ok(())
    }
}
