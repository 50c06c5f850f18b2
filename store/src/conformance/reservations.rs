use std::sync::Arc;

use futures_util::future::join_all;
use natter_schemas::{
    event::{Kind, Timestamp},
    id::{ConversationId, ReservationId, UserId},
};

use super::fixtures::SampleLog;
use crate::{Reservation, Store};

fn of(conversation: ConversationId) -> Reservation {
    Reservation { id: ReservationId::fresh(), conversation, at: Timestamp(1) }
}

fn new() -> Reservation {
    of(ConversationId::fresh())
}

async fn has_room(store: &dyn Store, user: UserId, most: usize) -> bool {
    let probe = new();
    let full = store.reserve(probe, &[user], most).await.unwrap();
    store.release(probe, &[user]).await.unwrap();
    full.is_empty()
}

pub async fn present_and_reserved_memberships_count_together_and_each_once(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let mut logs = [SampleLog::of(&[anna]), SampleLog::of(&[anna])];
    for sample in &logs {
        sample.persist(&*store).await;
    }
    assert!(!has_room(&*store, anna, 2).await);
    assert!(has_room(&*store, anna, 3).await);
    // Of one that she is in, or that another call adds her to as well.
    let (present, first, second) = (of(logs[0].id), new(), new());
    let also_second = of(second.conversation);
    assert_eq!(store.reserve(present, &[anna], 2).await.unwrap(), []);
    assert!(has_room(&*store, anna, 3).await);
    for reservation in [first, second, also_second] {
        assert_eq!(store.reserve(reservation, &[anna], 4).await.unwrap(), []);
    }
    assert!(!has_room(&*store, anna, 4).await);
    assert!(has_room(&*store, anna, 5).await);
    store.release(second, &[anna]).await.unwrap();
    assert!(!has_room(&*store, anna, 4).await, "the other call still adds her");
    store.release(also_second, &[anna]).await.unwrap();
    assert!(has_room(&*store, anna, 4).await);
    logs[1].add(anna, Kind::MemberRemoved { user: anna });
    logs[1].persist(&*store).await;
    assert!(has_room(&*store, anna, 3).await);
    assert!(!has_room(&*store, anna, 2).await, "one present, one reserved");
}

pub async fn nothing_is_reserved_when_one_of_the_users_has_no_room(store: Arc<dyn Store>) {
    let users = [0; 3].map(|_| UserId::fresh());
    SampleLog::of(&users[1..2]).persist(&*store).await;
    assert_eq!(store.reserve(new(), &users, 1).await.unwrap(), [users[1]]);
    for user in users {
        assert_eq!(store.reservations(user).await.unwrap(), []);
    }
    let both = new();
    assert_eq!(store.reserve(both, &users, 2).await.unwrap(), []);
    assert_eq!(store.reserve(both, &users, 2).await.unwrap(), [], "again, after a lost response");
    for user in users {
        assert_eq!(store.reservations(user).await.unwrap(), [both]);
    }
}

pub async fn reservations_are_listed_oldest_first_until_released(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let made = [3, 1, 2].map(|at| Reservation { at: Timestamp(at), ..new() });
    for reservation in made {
        store.reserve(reservation, &[anna], 10).await.unwrap();
    }
    assert_eq!(store.reservations(anna).await.unwrap(), [made[1], made[2], made[0]]);
    for reservation in made {
        store.release(reservation, &[anna]).await.unwrap();
        store.release(reservation, &[anna, UserId::fresh()]).await.unwrap();
    }
    assert_eq!(store.reservations(anna).await.unwrap(), []);
}

pub async fn of_many_reservations_at_once_as_many_are_made_as_fit(store: Arc<dyn Store>) {
    let (anna, others) = (UserId::fresh(), [0; 2].map(|_| UserId::fresh()));
    SampleLog::of(&[anna]).persist(&*store).await;
    let calls = (0..12).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.reserve(new(), &[others[n % 2], anna], 4).await.unwrap() })
    });
    let refused = join_all(calls).await.into_iter().map(Result::unwrap).filter(|full| !full.is_empty());
    assert_eq!(refused.count(), 9, "three fit beside the one she is in");
    assert_eq!(store.reservations(anna).await.unwrap().len(), 3);
}
