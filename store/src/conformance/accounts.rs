use natter_schemas::{id::UserId, rpc::User};

use super::{
    Arc,
    fixtures::{added, unique_name, user},
};
use crate::{AddUser, Store};

pub async fn a_user_is_found_by_id_username_and_email_whatever_the_case(store: Arc<dyn Store>) {
    let name = unique_name();
    let user = added(&*store, &name).await;
    let nobody = UserId::fresh();
    assert_eq!(store.users(&[nobody, user.id]).await.unwrap(), std::slice::from_ref(&user));
    assert!(store.users(&[]).await.unwrap().is_empty());
    for login in [name.clone(), name.to_uppercase(), user.email.clone(), user.email.to_uppercase()] {
        let found = store.credentials(&login).await.unwrap().expect(&login);
        assert_eq!((found.user, found.password_hash.as_str()), (user.clone(), "$argon2id$hash"));
    }
    assert_eq!(store.credentials_of(user.id).await.unwrap().unwrap().user, user);
    assert!(store.credentials(&unique_name()).await.unwrap().is_none());
    assert!(store.credentials_of(nobody).await.unwrap().is_none());
}

pub async fn usernames_and_emails_are_unique_whatever_the_case(store: Arc<dyn Store>) {
    let name = unique_name();
    let first = added(&*store, &name).await;
    let same_name = User { email: format!("{}@example.org", unique_name()), ..user(&name.to_uppercase()) };
    assert_eq!(store.add_user(&same_name, "h").await.unwrap(), AddUser::UsernameTaken);
    let same_email = User { email: first.email.to_uppercase(), ..user(&unique_name()) };
    assert_eq!(store.add_user(&same_email, "h").await.unwrap(), AddUser::EmailTaken);
    assert!(store.users(&[same_name.id, same_email.id]).await.unwrap().is_empty());
    // The refused attempt holds nothing: its name is free.
    added(&*store, &same_email.username).await;
}

pub async fn of_many_registrations_of_one_name_at_once_one_succeeds(store: Arc<dyn Store>) {
    let name = unique_name();
    let attempts: Vec<_> = (0..20)
        .map(|_| {
            let (store, user) = (Arc::clone(&store), user(&name));
            tokio::spawn(async move { store.add_user(&user, "h").await.unwrap() })
        })
        .collect();
    let mut added = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            AddUser::Added => added += 1,
            AddUser::UsernameTaken | AddUser::EmailTaken => {}
        }
    }
    assert_eq!(added, 1);
}

pub async fn adding_the_same_user_again_is_no_conflict(store: Arc<dyn Store>) {
    let user = added(&*store, &unique_name()).await;
    assert_eq!(store.add_user(&user, "$argon2id$hash").await.unwrap(), AddUser::Added);
    assert_eq!(store.users(&[user.id]).await.unwrap(), [user]);
}

pub async fn search_finds_prefixes_of_names_whatever_the_case_by_username(store: Arc<dyn Store>) {
    let tag = unique_name();
    let b = added(&*store, &format!("{tag}b")).await;
    let a = added(&*store, &format!("{tag}a")).await;
    let by_display = User { display_name: format!("{}Ärger", tag.to_uppercase()), ..user(&unique_name()) };
    assert_eq!(store.add_user(&by_display, "h").await.unwrap(), AddUser::Added);
    let inside = User { display_name: format!("x{tag}"), ..user(&unique_name()) };
    assert_eq!(store.add_user(&inside, "h").await.unwrap(), AddUser::Added);

    let mut expected = vec![a.clone(), b.clone(), by_display.clone()];
    expected.sort_by(|x, y| x.username.cmp(&y.username));
    assert_eq!(store.search_users(&tag.to_uppercase(), 10).await.unwrap(), expected);
    assert_eq!(store.search_users(&tag, 2).await.unwrap(), expected[..2]);
    assert_eq!(store.search_users(&format!("{tag}äR"), 10).await.unwrap(), [by_display]);
    assert_eq!(store.search_users(&format!("{tag}a"), 10).await.unwrap(), [a]);
    assert!(store.search_users(&format!("{tag}z"), 10).await.unwrap().is_empty());
    assert!(store.search_users(&tag, 0).await.unwrap().is_empty());
}

pub async fn search_takes_wildcards_literally(store: Arc<dyn Store>) {
    let tag = unique_name();
    let percent = User { display_name: format!("{tag}%x"), ..user(&unique_name()) };
    let plain = User { display_name: format!("{tag}yx"), ..user(&unique_name()) };
    for user in [&percent, &plain] {
        assert_eq!(store.add_user(user, "h").await.unwrap(), AddUser::Added);
    }
    assert_eq!(store.search_users(&format!("{tag}%"), 10).await.unwrap(), [percent]);
    for none in ["_", "*", "?", "'", "\0", "\\", "[a-z]", "%'; DROP TABLE users; --"] {
        assert!(store.search_users(&format!("{tag}{none}"), 10).await.unwrap().is_empty(), "{none}");
    }
}

pub async fn a_display_name_and_a_password_can_be_changed(store: Arc<dyn Store>) {
    let (user, new) = (added(&*store, &unique_name()).await, unique_name());
    let changed = User { display_name: format!("{new} Ω"), ..user.clone() };
    assert_eq!(store.set_display_name(user.id, &changed.display_name).await.unwrap(), Some(changed.clone()));
    assert_eq!(store.users(&[user.id]).await.unwrap(), std::slice::from_ref(&changed));
    assert_eq!(store.search_users(&format!("{new} ω"), 5).await.unwrap(), [changed]);
    assert_eq!(store.set_display_name(UserId::fresh(), "x").await.unwrap(), None);
    store.set_password_hash(user.id, "$argon2id$other", None).await.unwrap();
    assert_eq!(store.credentials_of(user.id).await.unwrap().unwrap().password_hash, "$argon2id$other");
}

pub async fn hostile_names_come_back_as_they_were(store: Arc<dyn Store>) {
    for nasty in ["'; DROP TABLE users; --", "a\0b", "👩‍👩‍👧‍👦 \u{202e}", "\"\\%_", "\u{10FFFF}"]
    {
        let tag = unique_name();
        let user = User { display_name: format!("{tag}{nasty}"), ..user(&unique_name()) };
        assert_eq!(store.add_user(&user, nasty).await.unwrap(), AddUser::Added);
        let found = store.credentials_of(user.id).await.unwrap().unwrap();
        assert_eq!((&found.user, found.password_hash.as_str()), (&user, nasty));
        assert_eq!(store.search_users(&user.display_name, 5).await.unwrap(), [user], "{nasty:?}");
    }
}
