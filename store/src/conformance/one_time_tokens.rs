use std::sync::Arc;

use futures_util::future::join_all;
use natter_schemas::{event::Timestamp, id::UserId};

use crate::{
    OneTimeToken, Store,
    TokenPurpose::{Email, Erasure, Password},
};

const NOW: Timestamp = Timestamp(1_764_000_000_000);

fn token(n: u8) -> OneTimeToken {
    OneTimeToken { hash: [n; 32], expires_at: Timestamp(NOW.0 + 1_800_000 + i64::from(n)) }
}

pub async fn a_token_is_taken_once_for_its_purpose_by_its_user(store: Arc<dyn Store>) {
    let [a, b] = [0; 2].map(|_| UserId::fresh());
    store.put_one_time_token(a, Password, &token(1), NOW).await.unwrap();
    store.put_one_time_token(a, Email, &token(2), NOW).await.unwrap();
    for (user, purpose, hash) in [(a, Password, 2), (a, Email, 1), (b, Password, 1), (b, Email, 2)] {
        assert_eq!(store.take_one_time_token(user, purpose, &[hash; 32]).await.unwrap(), None);
    }
    for _ in 0..2 {
        let found = store.find_one_time_token(a, Password, &[1; 32]).await.unwrap();
        assert_eq!(found, Some(token(1).expires_at), "it stays");
        assert_eq!(store.find_one_time_token(a, Email, &[1; 32]).await.unwrap(), None);
    }
    for expected in [Some(token(1).expires_at), None] {
        assert_eq!(store.take_one_time_token(a, Password, &[1; 32]).await.unwrap(), expected);
    }
    let taken = join_all((0..8).map(|_| store.take_one_time_token(a, Email, &[2; 32]))).await;
    let taken: Vec<_> = taken.into_iter().filter_map(|taken| taken.unwrap()).collect();
    assert_eq!(taken, [token(2).expires_at]);
}

pub async fn a_new_token_takes_the_place_of_the_one_before(store: Arc<dyn Store>) {
    let user = UserId::fresh();
    for n in [1, 2, 2] {
        store.put_one_time_token(user, Password, &token(n), NOW).await.unwrap();
    }
    assert_eq!(store.take_one_time_token(user, Password, &[1; 32]).await.unwrap(), None);
    let taken = store.take_one_time_token(user, Password, &[2; 32]).await.unwrap();
    assert_eq!(taken, Some(token(2).expires_at));
    store.put_one_time_token(user, Password, &token(3), NOW).await.unwrap();
    store.put_one_time_token(user, Email, &token(4), NOW).await.unwrap();
    store.put_one_time_token(user, Erasure, &token(5), NOW).await.unwrap();
    store.remove_one_time_tokens(user).await.unwrap();
    assert_eq!(store.take_one_time_token(user, Password, &[3; 32]).await.unwrap(), None);
    assert_eq!(store.take_one_time_token(user, Email, &[4; 32]).await.unwrap(), None);
    assert_eq!(store.take_one_time_token(user, Erasure, &[5; 32]).await.unwrap(), None);
}
