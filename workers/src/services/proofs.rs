//! Whether the users of calls are there: each call of an edge carries an access token of whom it is for.

use std::time::{Duration, Instant};

use moka::sync::Cache;
use natter_nats::{
    async_nats::jetstream::Context,
    clock::LogClock,
    control::{ControlError, ControlFeed},
    service::ProofCheck,
    subject::ControlTo,
};
use natter_runtime::{
    access_token::{Identity, VerifyingKeys},
    config::CallProof,
    sampled::Sampled,
};
use natter_schemas::{
    id::{SessionId, UserId},
    limits,
    rpc::Control,
};
use tracing::warn;

/// Verified tokens, of up to 2 KB and usually 300 B: a signature is verified once and not for each call.
const KNOWN: u64 = 50_000;
/// Sessions that have ended while tokens of theirs are valid: 24 B each, and far more than end in an hour.
const ENDED: u64 = 1_000_000;
/// Edges hear of an ended session by then, and choose no token of it any more: a user's other sessions are not refused for it.
const HEARD_BY_ALL: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(500);
const LOG_EVERY: Duration = Duration::from_mins(1);

/// Shared by the services of a process.
pub struct Proofs {
    keys: VerifyingKeys,
    mode: CallProof,
    /// Not this machine's: edges issue tokens by the same.
    clock: LogClock,
    known: Cache<Box<str>, Identity>,
    /// With when this process heard of it.
    ended: Cache<SessionId, Instant>,
    refused: Sampled,
    not_followed: Sampled,
}

impl Proofs {
    pub fn new(keys: VerifyingKeys, mode: CallProof, clock: LogClock) -> Self {
        let known = Cache::builder().max_capacity(KNOWN).build();
        // Access tokens of an ended session have expired when this forgets it.
        let ended = Cache::builder().max_capacity(ENDED).time_to_live(limits::CONTROL_AGE).build();
        let (refused, not_followed) = (Sampled::once_a(LOG_EVERY), Sampled::once_a(LOG_EVERY));
        Self { keys, mode, clock, known, ended, refused, not_followed }
    }

    /// Hears on CONTROL which sessions end, for ever, from an hour ago on. While it cannot be read, tokens of sessions that end
    /// are taken until they expire.
    pub async fn follow(&self, js: &Context) {
        let mut position = 0;
        loop {
            if let Err(error) = self.hear(js, &mut position).await
                && let Some(count) = self.not_followed.due()
            {
                warn!(%error, count, "CONTROL is not followed; until it is, tokens of sessions that end count until they expire");
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn hear(&self, js: &Context, position: &mut u64) -> Result<(), ControlError> {
        let mut feed = ControlFeed::after(js, *position).await?;
        *position = feed.begins_after;
        while let Some(notice) = feed.next().await {
            let notice = notice?;
            if let Ok((ControlTo::Session(session), Control::SessionEnded)) = notice.content {
                self.ended.insert(session, Instant::now());
            }
            *position = notice.seq;
        }
        Ok(())
    }

    /// Whether this verifies nothing, and would refuse everyone.
    pub fn lacks_keys(&self) -> bool {
        self.mode == CallProof::Required && self.keys.is_empty()
    }

    fn has_ended(&self, session: SessionId) -> bool {
        self.ended.get(&session).is_some_and(|heard| heard.elapsed() >= HEARD_BY_ALL)
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
        let identity = self.identity(token)?;
        (!self.has_ended(identity.session)).then_some(identity.user)
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
    fn a_token_of_an_ended_session_proves_nothing_once_edges_know() {
        let (user, session) = (UserId::fresh(), SessionId::fresh());
        let proofs = proofs(CallProof::Required);
        let token = keys(7).issue((user, session), Duration::from_mins(1), Timestamp::now()).expect("signs");
        proofs.ended.insert(SessionId::fresh(), Instant::now());
        proofs.ended.insert(session, Instant::now());
        assert_eq!(proofs.user_of(&token), Some(user), "an edge may not have heard");
        let before = Instant::now().checked_sub(HEARD_BY_ALL).expect("this machine runs for longer");
        proofs.ended.insert(session, before);
        assert_eq!(proofs.user_of(&token), None);
    }

    #[test]
    fn only_what_carries_no_token_is_excused_and_only_where_accepted() {
        let answers = |mode| [true, false].map(|has_token| proofs(mode).excuses("page", has_token));
        assert_eq!(answers(CallProof::Required), [false, false]);
        assert_eq!(answers(CallProof::Accepted), [false, true]);
    }
}
