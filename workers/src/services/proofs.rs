//! Whether the users of calls are there: each call of an edge carries an access token of whom it is for.

use std::time::Duration;

use moka::sync::Cache;
use natter_nats::{clock::LogClock, service::ProofCheck};
use natter_runtime::{
    access_token::{Identity, VerifyingKeys},
    config::CallProof,
    sampled::Sampled,
};
use natter_schemas::id::UserId;
use tracing::warn;

/// Verified tokens, of up to 2 KB and usually 300 B: a signature is verified once and not for each call.
const KNOWN: u64 = 50_000;
const LOG_EVERY: Duration = Duration::from_mins(1);

/// Shared by the services of a process.
pub struct Proofs {
    keys: VerifyingKeys,
    mode: CallProof,
    /// Not this machine's: edges issue tokens by the same.
    clock: LogClock,
    known: Cache<Box<str>, Identity>,
    refused: Sampled,
}

impl Proofs {
    pub fn new(keys: VerifyingKeys, mode: CallProof, clock: LogClock) -> Self {
        let known = Cache::builder().max_capacity(KNOWN).build();
        Self { keys, mode, clock, known, refused: Sampled::once_a(LOG_EVERY) }
    }

    /// Whether this verifies nothing, and would refuse everyone.
    pub fn lacks_keys(&self) -> bool {
        self.mode == CallProof::Required && self.keys.is_empty()
    }

    fn identity(&self, token: &str) -> Option<Identity> {
        let now = self.clock.now();
        if let Some(known) = self.known.get(token) {
            return Some(known).filter(|known| !known.has_expired(now));
        }
        let identity = self.keys.verify(token, now).ok()?;
        self.known.insert(token.into(), identity);
        Some(identity)
    }
}

impl ProofCheck for Proofs {
    fn user_of(&self, token: &str) -> Option<UserId> {
        self.identity(token).map(|identity| identity.user)
    }

    fn excuses(&self, call: &'static str, has_token: bool) -> bool {
        if self.mode == CallProof::Accepted && !has_token {
            return true;
        }
        metrics::counter!("natter_calls_unproven_total", "call" => call).increment(1);
        if let Some(count) = self.refused.due() {
            warn!(
                call,
                has_token,
                count,
                "a call does not carry a token that proves its user; refused. Either an edge is of a version before CALL_PROOF, \
                 or this process lacks a key of access tokens (JWT_…) that edges have, or someone has an edge's NATS user"
            );
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use natter_runtime::{access_token::Keys, config::TokenKeys};
    use natter_schemas::{event::Timestamp, id::SessionId};

    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys::new(&TokenKeys::unnamed(vec![byte; 32])).expect("a secret")
    }

    fn proofs(mode: CallProof) -> Proofs {
        let keys = VerifyingKeys::new(&TokenKeys::unnamed(vec![7; 32])).expect("a secret");
        Proofs::new(keys, mode, LogClock::own())
    }

    #[test]
    fn a_known_token_proves_its_user_until_it_expires() {
        let (user, session) = (UserId::fresh(), SessionId::fresh());
        let proofs = proofs(CallProof::Required);
        let token = |byte, at| keys(byte).issue((user, session), Duration::from_mins(1), at).expect("signs");
        let now = Timestamp::now();
        let good = token(7, now);
        for _ in 0..2 {
            assert_eq!(proofs.user_of(&good), Some(user));
        }
        for bad in [token(8, now), token(7, Timestamp(now.0 - 120_000)), String::new(), "a.b.c".to_owned()] {
            assert_eq!(proofs.user_of(&bad), None, "{bad}");
        }
        let known = proofs.known.get(good.as_str()).expect("it was verified");
        proofs.known.insert(good.clone().into(), Identity { expires_at: now.0 / 1000 - 60, ..known });
        assert_eq!(proofs.user_of(&good), None, "it has expired since");
    }

    #[test]
    fn only_what_carries_no_token_is_excused_and_only_where_accepted() {
        let answers = |mode| [true, false].map(|has_token| proofs(mode).excuses("page", has_token));
        assert_eq!(answers(CallProof::Required), [false, false]);
        assert_eq!(answers(CallProof::Accepted), [false, true]);
    }
}
