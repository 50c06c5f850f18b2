use std::sync::Arc;

use futures_util::future::join_all;
use natter_schemas::id::UserId;

use crate::{KeyPurpose::Messages, Store, UserKeys, WrappedDataKey, WrappedUserKey};

fn own(n: u8) -> WrappedUserKey {
    WrappedUserKey { root: "a root".to_owned(), wrapped: vec![n; 60] }
}

fn data(epoch: u32, n: u8) -> WrappedDataKey {
    WrappedDataKey { epoch, wrapped: vec![0, n, 0xff] }
}

pub async fn keys_come_back_as_they_were_by_user_and_epoch(store: Arc<dyn Store>) {
    let [a, b, none] = [0; 3].map(|_| UserId::fresh());
    assert!(store.add_user_key(a, &own(1)).await.unwrap());
    for epoch in [2, u32::MAX, 1] {
        assert!(store.add_data_key(a, Messages, &data(epoch, 7)).await.unwrap());
    }
    assert!(store.add_user_key(b, &own(2)).await.unwrap());
    let of_a = UserKeys { own: Some(own(1)), data: vec![data(1, 7), data(2, 7), data(u32::MAX, 7)] };
    let of_b = UserKeys { own: Some(own(2)), data: vec![] };
    let found = store.keys(&[none, b, a, b], Messages).await.unwrap();
    assert_eq!(found, [UserKeys::default(), of_b.clone(), of_a, of_b]);
    assert_eq!(store.keys(&[], Messages).await.unwrap(), []);
}

pub async fn every_users_key_comes_once_in_pages(store: Arc<dyn Store>) {
    let mut users: Vec<UserId> = (0..25).map(|_| UserId::fresh()).collect();
    for user in &users {
        assert!(store.add_user_key(*user, &own(3)).await.unwrap());
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.user_keys_after(after, 7).await.unwrap();
        assert!(page.len() <= 7);
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        found.extend(page.into_iter().filter(|(user, _)| users.contains(user)));
    }
    assert!(found.iter().all(|(_, key)| *key == own(3)));
    let mut found: Vec<UserId> = found.into_iter().map(|(user, _)| user).collect();
    found.sort_unstable();
    users.sort_unstable();
    assert_eq!(found, users);
}

pub async fn a_key_is_wrapped_otherwise_by_one_of_many(store: Arc<dyn Store>) {
    let user = UserId::fresh();
    assert!(!store.replace_user_key(user, &own(1), &own(2)).await.unwrap(), "there is none");
    assert_eq!(store.keys(&[user], Messages).await.unwrap(), [UserKeys::default()]);
    store.add_user_key(user, &own(1)).await.unwrap();
    let others: Vec<_> = (2..8).map(own).collect();
    let replaced = join_all(others.iter().map(|to| store.replace_user_key(user, &others[0], to))).await;
    assert!(replaced.into_iter().all(|replaced| !replaced.unwrap()), "it is wrapped otherwise");
    let (from, other) = (own(1), WrappedUserKey { root: "another root".to_owned(), ..own(1) });
    assert!(!store.replace_user_key(user, &other, &own(2)).await.unwrap());
    let replaced = join_all(others.iter().map(|to| store.replace_user_key(user, &from, to))).await;
    let at = replaced.iter().position(|replaced| *replaced.as_ref().unwrap()).unwrap();
    assert_eq!(replaced.into_iter().filter(|replaced| *replaced.as_ref().unwrap()).count(), 1);
    assert_eq!(store.keys(&[user], Messages).await.unwrap()[0].own, Some(others[at].clone()));
}

pub async fn of_keys_made_at_once_one_is_kept(store: Arc<dyn Store>) {
    let user = UserId::fresh();
    let own_keys: Vec<_> = (0..8).map(own).collect();
    let added = join_all(own_keys.iter().map(|key| store.add_user_key(user, key))).await;
    assert_eq!(added.into_iter().filter(|added| *added.as_ref().unwrap()).count(), 1);
    let data_keys: Vec<_> = (0..8).map(|n| data(1, n)).collect();
    let added = join_all(data_keys.iter().map(|key| store.add_data_key(user, Messages, key))).await;
    assert_eq!(added.into_iter().filter(|added| *added.as_ref().unwrap()).count(), 1);
    let kept = store.keys(&[user], Messages).await.unwrap();
    assert!(!store.add_user_key(user, &own(9)).await.unwrap());
    assert!(!store.add_data_key(user, Messages, &data(1, 9)).await.unwrap());
    assert_eq!(store.keys(&[user], Messages).await.unwrap(), kept);
    assert_eq!(kept[0].data.len(), 1);
}

pub async fn a_removed_data_key_leaves_the_others(store: Arc<dyn Store>) {
    let [a, b] = [0; 2].map(|_| UserId::fresh());
    for user in [a, b] {
        store.add_user_key(user, &own(1)).await.unwrap();
        for epoch in 1..=3 {
            store.add_data_key(user, Messages, &data(epoch, 7)).await.unwrap();
        }
    }
    assert!(store.remove_data_key(a, Messages, 2).await.unwrap());
    assert!(!store.remove_data_key(a, Messages, 2).await.unwrap(), "it was gone");
    assert!(!store.remove_data_key(UserId::fresh(), Messages, 1).await.unwrap());
    let found = store.keys(&[a, b], Messages).await.unwrap();
    assert_eq!(found[0], UserKeys { own: Some(own(1)), data: vec![data(1, 7), data(3, 7)] });
    assert_eq!(found[1].data, [data(1, 7), data(2, 7), data(3, 7)]);
}
