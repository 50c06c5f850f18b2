//! Answers of a server that cannot answer yet: a copy that was just restarted, a leader that is being elected. The same
//! question is answered a moment later, and a reader has that time.

use std::time::Duration;

use natter_schemas::backoff::Backoff;
use tokio::time::{Instant, sleep};

use super::LogError;

/// How long a question is repeated: a restarted copy catches up within two seconds, a call has five.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between attempts, on a [`Backoff`].
const RETRY_MIN: Duration = Duration::from_millis(10);
const RETRY_MAX: Duration = Duration::from_millis(250);

/// The first answer that is not [`LogError::NotYet`], which becomes `Unavailable` in the end. What took long by itself is not
/// repeated.
pub async fn outlast<T, F>(ask: impl Fn() -> F) -> Result<T, LogError>
where
    F: Future<Output = Result<T, LogError>>,
{
    let deadline = Instant::now() + PATIENCE;
    let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
    loop {
        let reason = match ask().await {
            Err(LogError::NotYet(reason)) => reason,
            answer => return answer,
        };
        let wait = backoff.next_delay();
        if Instant::now() + wait >= deadline {
            return Err(LogError::Unavailable(reason));
        }
        metrics::counter!("natter_log_reads_repeated_total").increment(1);
        sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How often it was asked, and what came of it, when so many answers say that there is none yet.
    async fn asked(
        not_yet: usize,
        then: fn() -> Result<usize, LogError>,
    ) -> (usize, Result<usize, LogError>) {
        let times = Cell::new(0);
        let ask = || async {
            times.set(times.get() + 1);
            if times.get() <= not_yet { Err(LogError::NotYet("503".to_owned())) } else { then() }
        };
        let answer = outlast(ask).await;
        (times.get(), answer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_cannot_answer_yet_is_asked_again_for_a_while() {
        assert!(matches!(asked(8, || Ok(7)).await, (9, Ok(7))));
        let (times, answer) = asked(usize::MAX, || Ok(7)).await;
        assert!(times > 10 && matches!(answer, Err(LogError::Unavailable(_))), "{times} {answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_took_long_or_is_refused_is_not_repeated() {
        let away = asked(0, || Err(LogError::Unavailable("no answer in time".to_owned()))).await;
        assert!(matches!(away, (1, Err(LogError::Unavailable(_)))));
        let refused = asked(1, || Err(LogError::Rejected("400".to_owned()))).await;
        assert!(matches!(refused, (2, Err(LogError::Rejected(_)))));
    }
}
