use std::sync::Arc;

use futures_util::future::join_all;
use natter_schemas::{event::Timestamp, id::UserId};

use crate::Store;

pub async fn a_block_is_seen_from_both_sides_until_it_is_removed(store: Arc<dyn Store>) {
    let (a, b, c) = (UserId::fresh(), UserId::fresh(), UserId::fresh());
    store.set_block(a, b, true, Timestamp(1)).await.unwrap();
    store.set_block(a, b, true, Timestamp(2)).await.unwrap();
    store.set_block(c, b, true, Timestamp(3)).await.unwrap();
    assert_eq!(store.blocks_of(a).await.unwrap(), [b]);
    assert_eq!(store.blocks_of(b).await.unwrap(), []);
    assert_eq!(store.blocked_with(a).await.unwrap(), [b]);
    let mut with_b = store.blocked_with(b).await.unwrap();
    with_b.sort();
    let mut expected = [a, c];
    expected.sort();
    assert_eq!(with_b, expected);
    store.set_block(a, b, false, Timestamp(4)).await.unwrap();
    store.set_block(a, b, false, Timestamp(5)).await.unwrap();
    assert_eq!(store.blocked_with(a).await.unwrap(), []);
    assert_eq!(store.blocked_with(b).await.unwrap(), [c]);
}

pub async fn who_of_some_users_has_blocked_another_is_found(store: Arc<dyn Store>) {
    let [a, b, c, d] = [0; 4].map(|_| UserId::fresh());
    for user in [a, c, d] {
        store.set_block(user, b, true, Timestamp(1)).await.unwrap();
    }
    store.set_block(b, a, true, Timestamp(2)).await.unwrap();
    store.set_block(d, b, false, Timestamp(3)).await.unwrap();
    assert_eq!(store.blocked_by(b, &[d, c, a, UserId::fresh()]).await.unwrap(), [c, a]);
    assert_eq!(store.blocked_by(a, &[b]).await.unwrap(), [b]);
    assert_eq!(store.blocked_by(c, &[b]).await.unwrap(), []);
}

pub async fn blocks_set_and_lifted_at_once_look_the_same_from_both_sides(store: Arc<dyn Store>) {
    let (a, b) = (UserId::fresh(), UserId::fresh());
    for _ in 0..5 {
        let calls = (0..4).map(|n| store.set_block(a, b, n % 2 == 0, Timestamp(n)));
        assert!(join_all(calls).await.into_iter().all(|set| set.is_ok()));
        assert_eq!(store.blocks_of(a).await.unwrap().len(), store.blocked_with(b).await.unwrap().len());
    }
    store.set_block(a, b, false, Timestamp(-60_000)).await.unwrap();
    assert_eq!(store.blocks_of(a).await.unwrap(), []);
    store.set_block(a, b, true, Timestamp(-120_000)).await.unwrap();
    assert_eq!(store.blocked_with(b).await.unwrap(), [a]);
}
