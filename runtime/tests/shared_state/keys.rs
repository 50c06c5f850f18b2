use futures_util::future::join_all;
use natter_runtime::shared_state::{KeyClaim, RecordedResult};
use natter_schemas::{
    event::Timestamp,
    id::{EventId, UserId},
};

use crate::fixtures::State;

both!(
    a_key_gives_one_answer_to_one_request_and_none_to_another,
    a_failed_attempt_does_not_burn_the_key,
    an_attempt_given_up_late_does_not_free_the_key_of_the_one_that_succeeded,
    of_fifty_attempts_at_once_one_is_the_first,
    a_young_state_does_not_claim_to_remember,
);

fn receipt() -> RecordedResult {
    RecordedResult { message: EventId::fresh(), seq: u64::MAX - 7, created_at: Timestamp(1_790_000_000_123) }
}

async fn a_key_gives_one_answer_to_one_request_and_none_to_another(state: State) {
    let user = UserId::fresh();
    let (first, other) = ([1; 32], [2; 32]);
    assert_eq!(state.begin(user, "k", first).await, Ok(KeyClaim::Claimed));
    assert_eq!(state.begin(user, "k", first).await, Ok(KeyClaim::InProgress));
    assert_eq!(state.begin(user, "k", other).await, Ok(KeyClaim::Mismatch));
    let receipt = receipt();
    state.finish(user, "k", first, receipt).await.unwrap();
    assert_eq!(state.begin(user, "k", first).await, Ok(KeyClaim::Finished(receipt)));
    assert_eq!(state.begin(user, "k", other).await, Ok(KeyClaim::Mismatch));
    assert_eq!(state.begin(UserId::fresh(), "k", other).await, Ok(KeyClaim::Claimed));
}

async fn a_failed_attempt_does_not_burn_the_key(state: State) {
    let user = UserId::fresh();
    assert_eq!(state.begin(user, "k", [1; 32]).await, Ok(KeyClaim::Claimed));
    state.abandon(user, "k").await.unwrap();
    assert_eq!(state.begin(user, "k", [2; 32]).await, Ok(KeyClaim::Claimed));
}

async fn an_attempt_given_up_late_does_not_free_the_key_of_the_one_that_succeeded(state: State) {
    let (user, receipt) = (UserId::fresh(), receipt());
    state.finish(user, "k", [1; 32], receipt).await.unwrap();
    state.abandon(user, "k").await.unwrap();
    assert_eq!(state.begin(user, "k", [1; 32]).await, Ok(KeyClaim::Finished(receipt)));
}

async fn of_fifty_attempts_at_once_one_is_the_first(state: State) {
    let user = UserId::fresh();
    let attempts = join_all((0..50).map(|_| {
        let state = state.clone();
        tokio::spawn(async move { state.begin(user, "k", [1; 32]).await.unwrap() })
    }))
    .await;
    let first = attempts.into_iter().filter(|attempt| *attempt.as_ref().unwrap() == KeyClaim::Claimed);
    assert_eq!(first.count(), 1);
}

async fn a_young_state_does_not_claim_to_remember(state: State) {
    assert!(!state.remembers_every_key().await);
    assert_eq!(state.ready().await, Ok(()));
}
