use std::time::Duration;

use futures_util::future::join_all;
use natter_runtime::shared_state::LogInOutcome;
use natter_schemas::limits::{LOG_IN_WAIT, LOG_INS_AT_ONCE};

use crate::fixtures::State;

both!(
    an_account_that_is_tried_from_everywhere_has_to_be_waited_for,
    a_network_that_an_account_knows_is_not_kept_out_by_others,
    a_network_known_without_a_log_in_gets_no_attempts_back,
    an_attempt_that_was_not_decided_is_taken_back,
    attempts_at_the_same_moment_are_counted_one_by_one,
);

async fn attempt(state: &State, account: &str, network: &str) -> Option<Duration> {
    state.attempt_log_in(account, network).await.unwrap()
}

async fn an_account_that_is_tried_from_everywhere_has_to_be_waited_for(state: State) {
    for number in 0..LOG_INS_AT_ONCE {
        assert_eq!(attempt(&state, "alice", &number.to_string()).await, None);
    }
    let wait = attempt(&state, "alice", "another").await.expect("one too many");
    assert!(wait <= *LOG_IN_WAIT.start(), "{wait:?}");
    assert_eq!(attempt(&state, "bob", "another").await, None);
}

async fn a_network_that_an_account_knows_is_not_kept_out_by_others(state: State) {
    assert_eq!(attempt(&state, "alice", "home").await, None);
    state.settle_log_in("alice", "home", LogInOutcome::Succeeded).await.unwrap();
    for _ in 0..LOG_INS_AT_ONCE {
        assert_eq!(attempt(&state, "alice", "elsewhere").await, None);
    }
    assert!(attempt(&state, "alice", "elsewhere").await.is_some());
    for _ in 0..LOG_INS_AT_ONCE {
        assert_eq!(attempt(&state, "alice", "home").await, None);
    }
    // It is counted for itself, and no way to guess.
    assert!(attempt(&state, "alice", "home").await.is_some());
    assert_eq!(attempt(&state, "bob", "home").await, None);
}

async fn a_network_known_without_a_log_in_gets_no_attempts_back(state: State) {
    for _ in 0..LOG_INS_AT_ONCE {
        assert_eq!(attempt(&state, "alice", "elsewhere").await, None);
    }
    for _ in 0..LOG_INS_AT_ONCE {
        state.settle_log_in("alice", "home", LogInOutcome::Unneeded).await.unwrap();
        assert_eq!(attempt(&state, "alice", "home").await, None);
        assert!(attempt(&state, "alice", "elsewhere").await.is_some());
    }
    assert!(attempt(&state, "alice", "home").await.is_some());
    state.settle_log_in("alice", "home", LogInOutcome::Unneeded).await.unwrap();
    assert!(attempt(&state, "alice", "home").await.is_some());
}

async fn an_attempt_that_was_not_decided_is_taken_back(state: State) {
    for _ in 0..4 * LOG_INS_AT_ONCE {
        assert_eq!(attempt(&state, "alice", "home").await, None);
        state.settle_log_in("alice", "home", LogInOutcome::Undecided).await.unwrap();
    }
}

async fn attempts_at_the_same_moment_are_counted_one_by_one(state: State) {
    let attempts = join_all((0..40).map(|number| {
        let state = state.clone();
        tokio::spawn(async move { attempt(&state, "alice", &number.to_string()).await })
    }))
    .await;
    let answered = attempts.into_iter().filter(|wait| wait.as_ref().unwrap().is_none()).count();
    assert_eq!(answered, usize::try_from(LOG_INS_AT_ONCE).unwrap());
}
