//! A log-in under way. Everything that belongs to it is derived from one random seed, which the browser keeps with a
//! signature: no process remembers attempts, and none can be invented.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use natter_schemas::{
    event::Timestamp,
    id::{EventKey, UserId},
    limits,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::failure::ProviderFailure;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    seed: [u8; 32],
    /// By the log's time, which is that of whoever finishes it too.
    begun: Timestamp,
    /// Who gets the identity; `None`: it logs in.
    pub link: Option<UserId>,
}

impl Attempt {
    pub fn begin(link: Option<UserId>, now: Timestamp) -> Self {
        Self { seed: rand::random(), begun: now, link }
    }

    fn derived(&self, context: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(blake3::derive_key(context, &self.seed))
    }

    /// Comes back in the address: whoever answers knows this attempt.
    pub fn state(&self) -> String {
        self.derived("natter 2026 provider state")
    }

    /// Comes back in the token: it was made for this attempt.
    pub fn nonce(&self) -> String {
        self.derived("natter 2026 provider nonce")
    }

    /// Proves to the provider that who began the attempt exchanges the code. 43 characters of RFC 7636 §4.1.
    pub fn verifier(&self) -> String {
        self.derived("natter 2026 provider verifier")
    }

    /// RFC 7636 §4.2, S256.
    pub fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }
}

/// The signature of this deployment's attempts.
pub struct Attempts {
    key: [u8; 32],
}

impl Attempts {
    pub fn new(EventKey(secret): &EventKey) -> Self {
        Self { key: blake3::derive_key("natter 2026 log-ins under way", secret) }
    }

    pub fn write(&self, attempt: &Attempt) -> String {
        let bytes = postcard::to_allocvec(attempt).expect("a struct of fixed fields is encoded");
        let signed = [blake3::keyed_hash(&self.key, &bytes).as_bytes(), bytes.as_slice()].concat();
        BASE64_URL_SAFE_NO_PAD.encode(signed)
    }

    /// The attempt that a browser kept, if it is the one that the provider answers.
    pub fn read(
        &self,
        kept: Option<&str>,
        state: Option<&str>,
        now: Timestamp,
    ) -> Result<Attempt, ProviderFailure> {
        let kept = kept.ok_or(ProviderFailure::Expired("the browser keeps none"))?;
        let attempt =
            self.verified(kept).ok_or(ProviderFailure::Expired("what the browser kept is not ours"))?;
        let most = i64::try_from(limits::PROVIDER_ATTEMPT.as_millis()).unwrap_or(i64::MAX);
        if now.0.saturating_sub(attempt.begun.0) > most {
            return Err(ProviderFailure::Expired("it took too long"));
        }
        // Compared in constant time, by their hashes.
        let same = |state: &str| blake3::hash(state.as_bytes()) == blake3::hash(attempt.state().as_bytes());
        if state.is_some_and(same) {
            Ok(attempt)
        } else {
            Err(ProviderFailure::Expired("the answer is to another attempt"))
        }
    }

    fn verified(&self, kept: &str) -> Option<Attempt> {
        let signed = BASE64_URL_SAFE_NO_PAD.decode(kept).ok()?;
        let (signature, bytes) = signed.split_first_chunk::<32>()?;
        let expected = blake3::keyed_hash(&self.key, bytes);
        // Of two hashes the comparison takes constant time.
        if expected != blake3::Hash::from_bytes(*signature) {
            return None;
        }
        postcard::from_bytes(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_764_000_000_000);

    fn attempts(key: u8) -> Attempts {
        Attempts::new(&EventKey([key; 32]))
    }

    #[test]
    fn an_attempt_is_read_by_every_worker_with_its_state_alone() {
        let user = UserId::fresh();
        let attempt = Attempt::begin(Some(user), NOW);
        let (kept, state) = (attempts(7).write(&attempt), attempt.state());
        let read = |kept: &str, state: &str, now| attempts(7).read(Some(kept), Some(state), now);
        assert_eq!(read(&kept, &state, NOW).expect("the same key"), attempt);
        let last = Timestamp(NOW.0 + 600_000);
        assert!(read(&kept, &state, last).is_ok() && read(&kept, &state, Timestamp(last.0 + 1)).is_err());
        // The log's time never falls; were it so, the attempt would be young.
        assert!(read(&kept, &state, Timestamp(NOW.0 - 1)).is_ok());
        let other = Attempt::begin(None, NOW);
        assert!(read(&kept, &other.state(), NOW).is_err() && read(&kept, "", NOW).is_err());
        assert!(attempts(7).read(None, Some(&state), NOW).is_err());
        assert!(attempts(7).read(Some(&kept), None, NOW).is_err());
        assert!(attempts(8).read(Some(&kept), Some(&state), NOW).is_err(), "another deployment's");
    }

    #[test]
    fn nothing_of_an_attempt_can_be_changed() {
        let attempt = Attempt::begin(None, NOW);
        let (kept, state) = (attempts(7).write(&attempt), attempt.state());
        let signed = BASE64_URL_SAFE_NO_PAD.decode(&kept).expect("base64");
        for at in 0..signed.len() {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            let kept = BASE64_URL_SAFE_NO_PAD.encode(changed);
            assert!(attempts(7).read(Some(&kept), Some(&state), NOW).is_err(), "{at}");
        }
        for rubbish in ["", ".", "a", "ÄÖÜ", &kept[1..], &kept[..40], &format!("{kept}AAAA")] {
            assert!(attempts(7).read(Some(rubbish), Some(&state), NOW).is_err(), "{rubbish}");
        }
    }

    #[test]
    fn what_is_derived_differs_and_is_as_long_as_it_must() {
        let attempt = Attempt::begin(None, NOW);
        let all = [attempt.state(), attempt.nonce(), attempt.verifier(), attempt.challenge()];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(one.len(), 43, "{one}");
            assert!(!all[..at].contains(one) && one != &Attempt::begin(None, NOW).state());
        }
    }
}
