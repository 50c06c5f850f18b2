use std::{num::NonZeroU32, time::Duration};

use futures_util::future::join_all;
use natter_runtime::{
    rates::{Class, Cost, Rule},
    shared_state::RateDecision,
};
use natter_testkit::until_some;

use crate::fixtures::State;

both!(
    a_token_bucket_allows_its_burst_and_reports_when_to_retry,
    a_token_bucket_refills_at_the_rate_of_its_rule,
    a_token_bucket_allows_no_more_to_concurrent_callers,
    a_dear_request_takes_more_tokens_all_or_none,
);

fn rule(count: u32, window: Duration, burst: u32) -> Rule {
    Rule { count: NonZeroU32::new(count).unwrap(), window, burst: NonZeroU32::new(burst).unwrap() }
}

async fn a_token_bucket_allows_its_burst_and_reports_when_to_retry(state: State) {
    let rule = rule(2, Duration::from_mins(1), 3);
    for remaining in [2, 1, 0] {
        assert_eq!(state.take(Class::Login.into(), "a", rule).await, Ok(RateDecision::Allowed { remaining }));
    }
    for _ in 0..2 {
        let Ok(RateDecision::Limited { retry_after }) = state.take(Class::Login.into(), "a", rule).await
        else {
            panic!("the fourth of three passed");
        };
        assert!(retry_after > Duration::from_secs(20) && retry_after <= Duration::from_secs(30));
    }
    assert_eq!(state.take(Class::Login.into(), "b", rule).await, Ok(RateDecision::Allowed { remaining: 2 }));
    assert_eq!(state.take(Class::Search.into(), "a", rule).await, Ok(RateDecision::Allowed { remaining: 2 }));
}

async fn a_token_bucket_refills_at_the_rate_of_its_rule(state: State) {
    let rule = rule(4, Duration::from_secs(1), 1);
    assert_eq!(state.take(Class::Send.into(), "a", rule).await, Ok(RateDecision::Allowed { remaining: 0 }));
    let mut waits = vec![];
    until_some("the next token", async || match state.take(Class::Send.into(), "a", rule).await.unwrap() {
        RateDecision::Allowed { .. } => Some(()),
        RateDecision::Limited { retry_after } => {
            waits.push(retry_after);
            None
        }
    })
    .await;
    assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(250)), "{waits:?}");
    assert!(waits.is_sorted_by(|earlier, later| earlier > later), "{waits:?}");
}

async fn a_token_bucket_allows_no_more_to_concurrent_callers(state: State) {
    let rule = rule(1, Duration::from_hours(1), 10);
    let taken = join_all((0..40).map(|_| {
        let state = state.clone();
        tokio::spawn(async move { state.take(Class::Write.into(), "a", rule).await.unwrap() })
    }))
    .await;
    let allowed = taken.into_iter().filter(|t| matches!(t.as_ref().unwrap(), RateDecision::Allowed { .. }));
    assert_eq!(allowed.count(), 10);
}

async fn a_dear_request_takes_more_tokens_all_or_none(state: State) {
    let rule = rule(1, Duration::from_hours(1), 10);
    let cost = |weight| Cost::new(Class::Read, weight);
    assert_eq!(state.take(cost(7), "a", rule).await, Ok(RateDecision::Allowed { remaining: 3 }));
    let Ok(RateDecision::Limited { retry_after }) = state.take(cost(4), "a", rule).await else {
        panic!("four of three tokens were taken");
    };
    assert!(retry_after > Duration::from_mins(55) && retry_after <= Duration::from_hours(1));
    assert_eq!(state.take(cost(3), "a", rule).await, Ok(RateDecision::Allowed { remaining: 0 }));
    // Dearer than a full bucket: it takes all of it.
    assert_eq!(state.take(cost(500), "b", rule).await, Ok(RateDecision::Allowed { remaining: 0 }));
}
