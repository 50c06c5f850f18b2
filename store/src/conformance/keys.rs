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
