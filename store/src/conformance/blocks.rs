use std::sync::Arc;

use futures_util::future::join_all;
use natter_schemas::{event::Timestamp, id::UserId};

use crate::Store;

/// Beyond every test's blocks.
const MANY: usize = 100;

async fn block(store: &dyn Store, user: UserId, other: UserId, at: i64) {
    assert!(store.block(user, other, Timestamp(at), MANY).await.unwrap());
}

async fn blockers(store: &dyn Store, user: UserId) -> Vec<UserId> {
    store.blockers(user, None, MANY).await.unwrap()
}

pub async fn a_block_is_seen_from_both_sides_until_it_is_removed(store: Arc<dyn Store>) {
    let [a, b, c, d] = [0; 4].map(|_| UserId::fresh());
    block(&*store, a, b, 1).await;
    block(&*store, a, b, 2).await;
    block(&*store, c, b, 3).await;
    assert_eq!(store.blocks_of(a).await.unwrap(), [b]);
    assert_eq!(store.blocks_of(b).await.unwrap(), []);
    assert_eq!(blockers(&*store, a).await, []);
    assert_eq!(store.blocked_with(a, &[d, b, c]).await.unwrap(), [b]);
    let mut with_b = store.blocked_with(b, &[a, d, c]).await.unwrap();
    let mut of_b = blockers(&*store, b).await;
    let mut expected = [a, c];
    for users in [&mut with_b[..], &mut of_b, &mut expected] {
        users.sort();
    }
    assert_eq!((&with_b[..], &of_b[..]), (&expected[..], &expected[..]));
    store.unblock(a, b).await.unwrap();
    store.unblock(a, b).await.unwrap();
    assert_eq!(store.blocks_of(a).await.unwrap(), []);
    assert_eq!(store.blocked_with(a, &[b]).await.unwrap(), []);
    assert_eq!(store.blocked_with(b, &[a, c]).await.unwrap(), [c]);
    assert_eq!(blockers(&*store, b).await, [c]);
}

pub async fn who_of_some_users_has_blocked_another_is_found(store: Arc<dyn Store>) {
    let [a, b, c, d] = [0; 4].map(|_| UserId::fresh());
    for user in [a, c, d] {
        block(&*store, user, b, 1).await;
    }
    block(&*store, b, a, 2).await;
    store.unblock(d, b).await.unwrap();
    assert_eq!(store.blocked_by(b, &[d, c, a, UserId::fresh()]).await.unwrap(), [c, a]);
    assert_eq!(store.blocked_by(a, &[b]).await.unwrap(), [b]);
    assert_eq!(store.blocked_by(c, &[b]).await.unwrap(), []);
}

pub async fn those_who_block_one_user_are_read_part_by_part(store: Arc<dyn Store>) {
    let user = UserId::fresh();
    let mut others = [0; 7].map(|_| UserId::fresh());
    for other in others {
        block(&*store, other, user, 1).await;
    }
    let mut found: Vec<UserId> = Vec::new();
    for length in [3, 3, 1, 0] {
        let part = store.blockers(user, found.last().copied(), 3).await.unwrap();
        assert_eq!(part.len(), length);
        found.extend(part);
    }
    found.sort();
    others.sort();
    assert_eq!(found, others);
}

pub async fn blocks_set_and_lifted_at_once_look_the_same_from_both_sides(store: Arc<dyn Store>) {
    let (a, b) = (UserId::fresh(), UserId::fresh());
    for _ in 0..5 {
        let calls = (0..4).map(|n| {
            let store = &store;
            async move {
                match n % 2 {
                    0 => store.block(a, b, Timestamp(n), MANY).await.map(drop),
                    _ => store.unblock(a, b).await,
                }
            }
        });
        assert!(join_all(calls).await.into_iter().all(|set| set.is_ok()));
        assert_eq!(store.blocks_of(a).await.unwrap().len(), blockers(&*store, b).await.len());
    }
    store.unblock(a, b).await.unwrap();
    assert_eq!(store.blocks_of(a).await.unwrap(), []);
    block(&*store, a, b, -120_000).await;
    assert_eq!(blockers(&*store, b).await, [a]);
}

pub async fn a_user_at_the_bound_of_blocks_makes_room_by_ending_one(store: Arc<dyn Store>) {
    let a = UserId::fresh();
    let others = [0; 4].map(|_| UserId::fresh());
    for (at, other) in (1..).zip(&others[..3]) {
        assert!(store.block(a, *other, Timestamp(at), 3).await.unwrap());
    }
    assert!(!store.block(a, others[3], Timestamp(4), 3).await.unwrap());
    assert_eq!(blockers(&*store, others[3]).await, []);
    // What is blocked stays so, also under a lower bound, and keeps its time.
    for most in [1, 3] {
        assert!(store.block(a, others[0], Timestamp(5), most).await.unwrap());
    }
    assert_eq!(store.blocks_of(a).await.unwrap(), others[..3]);
    store.unblock(a, others[1]).await.unwrap();
    assert!(store.block(a, others[3], Timestamp(6), 3).await.unwrap());
    assert_eq!(store.blocks_of(a).await.unwrap(), [others[0], others[2], others[3]]);
    for other in others {
        store.unblock(a, other).await.unwrap();
    }
    assert_eq!(store.blocks_of(a).await.unwrap(), []);
}

pub async fn of_many_blocks_at_once_as_many_are_made_as_fit(store: Arc<dyn Store>) {
    let a = UserId::fresh();
    let calls = (0..12).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.block(a, UserId::fresh(), Timestamp(n), 4).await.unwrap() })
    });
    let made = join_all(calls).await.into_iter().map(Result::unwrap).filter(|made| *made);
    assert_eq!(made.count(), 4);
    assert_eq!(store.blocks_of(a).await.unwrap().len(), 4);
}
