use std::sync::Arc;

use futures_util::future::join_all;
use natter_schemas::id::UserId;

use super::fixtures::unique_name;
use crate::{Identity, Store};

fn identity(subject: &str) -> Identity {
    Identity { issuer: "https://id.example".to_owned(), subject: subject.to_owned() }
}

pub async fn an_identity_is_the_users_who_claimed_it_first(store: Arc<dyn Store>) {
    let (name, [a, b]) = (unique_name(), [0; 2].map(|_| UserId::fresh()));
    let mine = identity(&name);
    assert_eq!(store.user_of_identity(&mine).await.unwrap(), None);
    for (user, holder) in [(a, a), (a, a), (b, a)] {
        assert_eq!(store.claim_identity(&mine, user).await.unwrap(), holder);
        assert_eq!(store.user_of_identity(&mine).await.unwrap(), Some(holder));
    }
    // The same subject of another provider, and nearly the same one, are other people.
    let others = [
        Identity { issuer: "https://id.example/".to_owned(), ..mine.clone() },
        identity(&name.to_uppercase()),
        identity(&format!("{name} ")),
        identity(&format!("'; DROP TABLE identities; --{name}\0")),
    ];
    for other in &others {
        assert_eq!(store.user_of_identity(other).await.unwrap(), None, "{other:?}");
        assert_eq!(store.claim_identity(other, b).await.unwrap(), b, "{other:?}");
    }
    assert_eq!(store.identities_of(a).await.unwrap(), [mine]);
    assert_eq!(store.identities_of(b).await.unwrap().len(), others.len());
}

pub async fn of_many_claims_of_one_identity_at_once_one_counts(store: Arc<dyn Store>) {
    let mine = identity(&unique_name());
    let users: Vec<UserId> = (0..12).map(|_| UserId::fresh()).collect();
    let claims = join_all(users.iter().map(|user| store.claim_identity(&mine, *user))).await;
    let holders: Vec<UserId> = claims.into_iter().map(|holder| holder.unwrap()).collect();
    assert!(users.contains(&holders[0]) && holders.iter().all(|holder| *holder == holders[0]), "{holders:?}");
    for user in users {
        let own = store.identities_of(user).await.unwrap();
        assert_eq!(own.len(), usize::from(user == holders[0]));
    }
}

pub async fn an_identity_moves_from_its_user_and_ends_with_them(store: Arc<dyn Store>) {
    let (mine, [a, b, c]) = (identity(&unique_name()), [0; 3].map(|_| UserId::fresh()));
    assert!(!store.move_identity(&mine, a, b).await.unwrap(), "there is none");
    assert_eq!(store.user_of_identity(&mine).await.unwrap(), None);
    store.claim_identity(&mine, a).await.unwrap();
    assert!(!store.move_identity(&mine, c, b).await.unwrap(), "it is not theirs");
    assert!(store.move_identity(&mine, a, b).await.unwrap());
    assert_eq!(store.user_of_identity(&mine).await.unwrap(), Some(b));
    assert_eq!(store.identities_of(b).await.unwrap(), std::slice::from_ref(&mine));
    for other in [a, c] {
        assert!(store.identities_of(other).await.unwrap().is_empty());
        store.remove_identities(other).await.unwrap();
    }
    assert_eq!(store.user_of_identity(&mine).await.unwrap(), Some(b));
    store.remove_identities(b).await.unwrap();
    assert_eq!(store.user_of_identity(&mine).await.unwrap(), None);
    assert!(store.identities_of(b).await.unwrap().is_empty());
    assert_eq!(store.claim_identity(&mine, c).await.unwrap(), c);
}
