//! Argon2id, the one expensive thing in the program: at most one hash per core at a time, a bounded queue
//! before them, and a refusal beyond it.

use std::thread;

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::{self, phc::PasswordHash},
};
use metrics::counter;
use natter_schemas::limits;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::hash_threads::HashThreads;

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane; about 20 ms of one core.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error("{} log-ins are waiting already", limits::HASHES_WAITING)]
    Busy,
    #[error("hashing failed: {0}")]
    Argon(String),
    #[error("the work was not done: the process is stopping, or it panicked")]
    Stopped,
    #[error("no threads for hashing: {0}")]
    NoThreads(#[from] std::io::Error),
}

impl From<password_hash::Error> for HashError {
    fn from(e: password_hash::Error) -> Self {
        Self::Argon(e.to_string())
    }
}

/// A password on its way through; its bytes are overwritten when it is dropped.
pub type Password = Zeroizing<String>;

pub struct Passwords {
    /// Callers whose hash is made, or who wait for one.
    admitted: Semaphore,
    threads: HashThreads,
    /// What an unknown user's password is compared with, so that the answer takes as long.
    dummy: String,
}

impl Passwords {
    /// Makes the hash of the dummy, with the parameters of all others. One core is left to those who are talking: a hash
    /// fills the caches of its core.
    pub async fn new() -> Result<Self, HashError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads(cores.saturating_sub(1).max(1)).await
    }

    async fn with_threads(threads: usize) -> Result<Self, HashError> {
        let pool = Self {
            admitted: Semaphore::new(threads + limits::HASHES_WAITING),
            threads: HashThreads::start(threads)?,
            dummy: String::new(),
        };
        let dummy = pool.hash(Zeroizing::new(uuid::Uuid::new_v4().to_string())).await?;
        Ok(Self { dummy, ..pool })
    }

    /// A PHC string with a fresh salt.
    pub async fn hash(&self, password: Password) -> Result<String, HashError> {
        self.run(move || {
            let hash: PasswordHash = argon2()?.hash_password(password.as_bytes())?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether the password is the one of the hash; without a hash the same work is done for nothing.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, HashError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.clone());
        self.run(move || {
            let hash = PasswordHash::new(&hash).map_err(|e| HashError::Argon(e.to_string()))?;
            match argon2()?.verify_password(password.as_bytes(), &hash) {
                Ok(()) => Ok(known),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(e) => Err(e.into()),
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl Fn() -> Result<T, HashError> + Send + Sync + 'static,
    ) -> Result<T, HashError> {
        let _admitted = self.admitted.try_acquire().map_err(|_| {
            counter!("natter_hashes_refused_total").increment(1);
            HashError::Busy
        })?;
        self.threads.run(work).await.ok_or(HashError::Stopped)?
    }
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| HashError::Argon(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_hash_opens_with_its_password_only() {
        let pool = Passwords::with_threads(1).await.unwrap();
        let hash = pool.hash(password("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(pool.verify(password("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!pool.verify(password("correct house"), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn a_login_beyond_the_queue_is_refused_at_once_and_the_queue_empties() {
        let pool = Passwords::with_threads(1).await.unwrap();
        let hold = pool.threads.hold(1).await;
        let mut waiting: Vec<_> =
            (0..=limits::HASHES_WAITING).map(|_| Box::pin(pool.verify(password("whatever"), None))).collect();
        for login in &mut waiting {
            assert!(futures_util::poll!(login.as_mut()).is_pending());
        }
        assert!(matches!(pool.verify(password("whatever"), None).await, Err(HashError::Busy)));
        drop(waiting);
        drop(hold);
        assert!(!pool.verify(password("whatever"), None).await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_user_costs_a_hash_too_and_never_matches() {
        let pool = Passwords::with_threads(1).await.unwrap();
        let hold = pool.threads.hold(1).await;
        let mut unknown = Box::pin(pool.verify(password("whatever"), None));
        assert!(futures_util::poll!(unknown.as_mut()).is_pending(), "it queues for a hashing thread");
        drop(hold);
        assert!(!unknown.await.unwrap());
        assert!(
            pool.dummy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "the same work as for a known one"
        );
    }
}
