//! Rate limits in front of everything: by user or address in the shared state, by socket and user in this process.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultDirectRateLimiter,
    clock::{Clock, DefaultClock},
};
use moka::future::Cache;
use natter_runtime::{
    rates::{Class, Cost, Rates, Rule},
    shared_state::{LogInOutcome, Memory, RateDecision, SharedState, Unavailable, local_token_bucket},
};
use natter_schemas::{code::Code, id::UserId, limits, rpc::User};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    api_error::ApiError,
    costs,
    turns::{Turn, Turns},
};

/// Users whose token buckets and turns are kept: 100,000 × about 500 B = 50 MB.
const USERS: u64 = 100_000;
/// Whatever the rule allows below an hour, a token bucket untouched for this long is full again.
const IDLE: Duration = Duration::from_hours(1);

pub struct Admission {
    shared: Arc<dyn SharedState>,
    /// Token buckets of this node alone.
    local: Memory,
    /// Of sockets and calls: those of one user share theirs, and a new socket finds them as the last one left them.
    users: Cache<UserId, Arc<UserLimits>>,
    rates: Rates,
}

impl Admission {
    pub fn new(shared: Arc<dyn SharedState>, rates: Rates) -> Self {
        let users = Cache::builder().max_capacity(USERS).time_to_idle(IDLE).build();
        Self { shared, local: Memory::new(), users, rates }
    }

    /// Takes the tokens of a request from those of `who`, counted over all nodes, or refuses with the time to come back.
    /// While the shared state is away this node counts by itself, and log-ins more strictly: guessing passwords must
    /// not get easier.
    pub async fn take(&self, cost: Cost, who: &str) -> Result<(), ApiError> {
        let Some(rule) = self.rates.rule(cost.class) else { return Ok(()) };
        if cost.class == Class::Address {
            return self.take_local(cost, who, rule).await;
        }
        match self.shared.take(cost, who, rule).await {
            Ok(taken) => decide(cost.class, rule, taken),
            Err(Unavailable) if cost.class == Class::Login => self.take_local(cost, who, strict(rule)).await,
            Err(Unavailable) => self.take_local(cost, who, rule).await,
        }
    }

    async fn take_local(&self, cost: Cost, who: &str, rule: Rule) -> Result<(), ApiError> {
        self.local.take(cost, who, rule).await.map_or(Ok(()), |taken| decide(cost.class, rule, taken))
    }

    /// Counts an attempt to log in to an account, whichever addresses the attempts come from.
    pub async fn attempt_log_in(&self, login: &str, network: IpAddr) -> Result<LogInAttempt<'_>, ApiError> {
        let attempt = LogInAttempt { admission: self, account: account(login), network: network.to_string() };
        if self.rates.rule(Class::Login).is_none() {
            return Ok(attempt);
        }
        let wait = match self.shared.attempt_log_in(&attempt.account, &attempt.network).await {
            Ok(wait) => wait,
            Err(Unavailable) => {
                self.local.attempt_log_in(&attempt.account, &attempt.network).await.unwrap_or_default()
            }
        };
        match wait {
            None => Ok(attempt),
            Some(wait) => {
                metrics::counter!("natter_rate_limited_total", "class" => "account").increment(1);
                let detail = "too many attempts to log in to this account";
                Err(ApiError { retry_after: Some(wait), ..ApiError::new(Code::RateLimited, detail) })
            }
        }
    }

    /// Counts a mail to this address, whoever asks for it, and whether or not it is sent.
    pub async fn send_mail(&self, to: &str) -> Result<(), ApiError> {
        self.take(costs::MAIL, &account(to)).await
    }

    /// The user has proved to be there, not only by what was typed to log in: attempts from elsewhere do not keep out
    /// whoever logs in from this network, by either name.
    pub async fn know_network(&self, user: &User, network: IpAddr) {
        if self.rates.rule(Class::Login).is_none() {
            return;
        }
        let network = network.to_string();
        for login in [&user.username, &user.email] {
            let known = LogInAttempt { admission: self, account: account(login), network: network.clone() };
            known.settle(LogInOutcome::Unneeded).await;
        }
    }

    /// The token buckets of a user's sockets on this node: what a socket asks for makes no round trip. A user with
    /// sockets on several nodes has as many.
    pub async fn of_user(&self, user: UserId) -> Arc<UserLimits> {
        self.users.get_with(user, async { Arc::new(UserLimits::new(&self.rates)) }).await
    }

    /// The turn of a user's HTTP call on this node: behind those before it, or refused.
    pub async fn turn(&self, user: UserId) -> Result<Turn, ApiError> {
        self.of_user(user).await.turns.next().await.ok_or_else(|| {
            metrics::counter!("natter_rate_limited_total", "class" => "calls").increment(1);
            let detail = "too many calls of this user are under way";
            ApiError { retry_after: Some(limits::CALL_WAITS), ..ApiError::new(Code::RateLimited, detail) }
        })
    }

    /// A new socket's limit on frames of any kind.
    pub fn frame_limit(&self) -> FrameLimit {
        FrameLimit(self.rates.rule(Class::Frames).map(local_token_bucket))
    }
}

/// An attempt that was counted; unless it is settled, it was a wrong password.
pub struct LogInAttempt<'a> {
    admission: &'a Admission,
    account: String,
    network: String,
}

impl LogInAttempt<'_> {
    pub async fn settle(self, outcome: LogInOutcome) {
        let Self { admission: Admission { shared, local, .. }, account, network } = self;
        // This node may have counted it alone; what is not there to be taken back stays as it is.
        let settled = shared.settle_log_in(&account, &network, outcome).await;
        let _ = local.settle_log_in(&account, &network, outcome).await;
        if settled.is_err() {
            tracing::debug!(
                reason = ?outcome,
                "attempt to log in not settled; it counts as one with a wrong password"
            );
        }
    }
}

/// A name for an account in keys: what a client typed may be long, and an address is its user's alone.
fn account(login: &str) -> String {
    let hash = blake3::hash(login.trim().to_lowercase().as_bytes());
    hash.to_hex()[..32].to_owned()
}

/// What one user may do on this node at one time.
pub struct UserLimits {
    /// Of the user's sockets.
    buckets: Vec<(Class, Rule, DefaultDirectRateLimiter)>,
    turns: Turns,
    /// Questions to history of the user's sockets.
    replays: Semaphore,
}

impl UserLimits {
    fn new(rates: &Rates) -> Self {
        let classes = [Class::Send, Class::Write, Class::Read];
        let rules = classes.into_iter().filter_map(|class| rates.rule(class).map(|rule| (class, rule)));
        let buckets = rules.map(|(class, rule)| (class, rule, local_token_bucket(rule))).collect();
        Self { buckets, turns: Turns::default(), replays: Semaphore::new(limits::REPLAYS_OF_USER) }
    }

    /// The turn to ask history for a part of what the user's sockets missed: kept until it is answered.
    pub async fn replay(&self) -> Option<SemaphorePermit<'_>> {
        self.replays.acquire().await.ok()
    }

    /// Takes the tokens of a request, all of them or none.
    pub fn take(&self, cost: Cost) -> Result<(), ApiError> {
        let Some((class, rule, bucket)) = self.buckets.iter().find(|(class, ..)| *class == cost.class) else {
            return Ok(());
        };
        take(bucket, cost.tokens(*rule)).map_err(|retry_after| limited(*class, *rule, retry_after))
    }
}

/// The token bucket of one socket's frames; `None` when frames are not limited.
pub struct FrameLimit(Option<DefaultDirectRateLimiter>);

impl FrameLimit {
    /// Takes a token for each of the frames; otherwise returns how long until there are as many.
    pub fn take(&self, frames: u32) -> Result<(), Duration> {
        let Some(bucket) = &self.0 else { return Ok(()) };
        NonZeroU32::new(frames).map_or(Ok(()), |frames| take(bucket, frames))
    }
}

fn take(bucket: &DefaultDirectRateLimiter, tokens: NonZeroU32) -> Result<(), Duration> {
    match bucket.check_n(tokens) {
        Ok(taken) => taken.map_err(|until| until.wait_time_from(DefaultClock::default().now())),
        // More than a full bucket holds, so more than came in any burst that is allowed.
        Err(_) => Err(Duration::MAX),
    }
}

fn decide(class: Class, rule: Rule, taken: RateDecision) -> Result<(), ApiError> {
    match taken {
        RateDecision::Allowed { .. } => Ok(()),
        RateDecision::Limited { retry_after } => Err(limited(class, rule, retry_after)),
    }
}

fn limited(class: Class, rule: Rule, retry_after: Duration) -> ApiError {
    metrics::counter!("natter_rate_limited_total", "class" => class.name()).increment(1);
    ApiError::limited(class, rule, retry_after)
}

/// A quarter of the burst: enough for a person, useless for a list of passwords.
fn strict(rule: Rule) -> Rule {
    let burst = NonZeroU32::new(rule.burst.get() / 4).unwrap_or(NonZeroU32::MIN);
    Rule { burst, ..rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_name_however_it_is_typed_and_hides_it() {
        assert_eq!(account("Alice@Example.org "), account("alice@example.org"));
        assert_ne!(account("alice"), account("bob"));
        assert!(account("alice").len() == 32 && !account("alice").contains("alice"));
    }

    #[tokio::test]
    async fn sockets_of_one_user_share_its_tokens() {
        let rates = Rates::off().with("read=1/h*10").expect("a rule");
        let admission = Admission::new(Arc::new(Memory::new()), rates);
        let user = UserId::fresh();
        admission.of_user(user).await.take(Cost::new(Class::Read, 8)).expect("eight of ten");
        let second = admission.of_user(user).await;
        assert_eq!(second.take(Cost::new(Class::Read, 3)).expect_err("two are left").code, Code::RateLimited);
        second.take(Cost::new(Class::Read, 2)).expect("two are left");
        second.take(Cost::new(Class::Send, 1_000)).expect("not limited");
        admission.of_user(UserId::fresh()).await.take(Cost::new(Class::Read, 10)).expect("another user");
    }
}
