use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::failure::ProviderFailure;

/// After a failure nothing is asked for so long: those who wait would ask one after the other.
const FAILED_FOR: Duration = Duration::from_secs(2);

/// Something that the provider publishes, fetched by one caller at a time.
pub struct Kept<T>(Mutex<State<T>>);

struct State<T> {
    value: Option<(Arc<T>, Instant)>,
    failed: Option<(ProviderFailure, Instant)>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(State { value: None, failed: None }))
    }
}

impl<T> Kept<T> {
    /// What is kept if it is no older than `age`, else what is fetched.
    pub async fn get(
        &self,
        age: Duration,
        fetched: impl Future<Output = Result<T, ProviderFailure>>,
    ) -> Result<Arc<T>, ProviderFailure> {
        let mut state = self.0.lock().await;
        if let Some((value, at)) = &state.value
            && at.elapsed() < age
        {
            return Ok(Arc::clone(value));
        }
        if let Some((failure, at)) = &state.failed
            && at.elapsed() < FAILED_FOR
        {
            return Err(failure.clone());
        }
        match fetched.await {
            Ok(value) => {
                let value = Arc::new(value);
                *state = State { value: Some((Arc::clone(&value), Instant::now())), failed: None };
                Ok(value)
            }
            Err(failure) => {
                state.failed = Some((failure.clone(), Instant::now()));
                Err(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_fetched_again_when_it_is_too_old_for_its_caller() {
        let (kept, fetches) = (Kept::default(), AtomicU32::new(0));
        let fetch = async || Ok(fetches.fetch_add(1, Ordering::Relaxed));
        let get = async |age| *kept.get(Duration::from_secs(age), fetch()).await.expect("a value");
        assert_eq!((get(60).await, get(60).await), (0, 0));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!((get(60).await, get(10).await, get(60).await), (0, 1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_callers_of_a_provider_that_is_away_one_asks() {
        let (kept, fetches) = (Kept::<()>::default(), AtomicU32::new(0));
        let fetch = async || {
            fetches.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err(ProviderFailure::away("a test"))
        };
        let age = Duration::from_mins(1);
        let all = futures_util::future::join_all((0..20).map(|_| kept.get(age, fetch()))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
        tokio::time::advance(FAILED_FOR).await;
        assert!(kept.get(age, async { Ok(()) }).await.is_ok());
    }
}
