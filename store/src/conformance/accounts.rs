use futures_util::future::join_all;
use natter_schemas::{id::UserId, limits, rpc::User};

use super::{
    Arc,
    fixtures::{PASSWORD_HASH, added, unique_name, user},
};
use crate::{AddUser, Store, no_password, profile};

pub async fn a_user_is_found_by_id_username_and_email_whatever_the_case(store: Arc<dyn Store>) {
    let name = unique_name();
    let user = added(&*store, &name).await;
    let unknown = UserId::fresh();
    assert_eq!(store.users(&[unknown, user.id]).await.unwrap(), std::slice::from_ref(&user));
    assert!(store.users(&[]).await.unwrap().is_empty());
    for login in [name.clone(), name.to_uppercase(), user.email.clone(), user.email.to_uppercase()] {
        let found = store.credentials(&login).await.unwrap().expect(&login);
        assert_eq!((found.user, found.password_hash.as_str()), (user.clone(), "$argon2id$hash"));
    }
    assert_eq!(store.credentials_of(user.id).await.unwrap().unwrap().user, user);
    assert!(store.credentials(&unique_name()).await.unwrap().is_none());
    assert!(store.credentials_of(unknown).await.unwrap().is_none());
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

pub async fn any_number_of_users_have_no_email_address(store: Arc<dyn Store>) {
    let users = [0; 3].map(|_| User { email: String::new(), ..user(&unique_name()) });
    for user in users.iter().chain(&users) {
        assert_eq!(store.add_user(user, &no_password("1")).await.unwrap(), AddUser::Added);
    }
    let found = store.users(&users.clone().map(|user| user.id)).await.unwrap();
    assert_eq!(found, users);
    let found = store.credentials(&users[0].username).await.unwrap().unwrap();
    assert_eq!((&found.user, found.password()), (&users[0], None));
    assert!(store.credentials("").await.unwrap().is_none());
    let mut other = user(&users[0].username);
    assert_eq!(store.add_user(&other, "h").await.unwrap(), AddUser::UsernameTaken);
    other.username = unique_name();
    assert_eq!(store.add_user(&other, "h").await.unwrap(), AddUser::Added);
    assert_eq!(store.credentials_of(other.id).await.unwrap().unwrap().password(), Some("h"));
}

fn shown_as(display_name: &str) -> User {
    User { display_name: display_name.to_owned(), ..user(&unique_name()) }
}

async fn add(store: &dyn Store, user: &User) {
    assert_eq!(store.add_user(user, "h").await.unwrap(), AddUser::Added);
}

pub async fn search_finds_beginnings_of_words_by_username(store: Arc<dyn Store>) {
    let tag = unique_name();
    let b = added(&*store, &format!("{tag}b")).await;
    let a = added(&*store, &format!("{tag}a")).await;
    let by_display = shown_as(&format!("{}Ärger", tag.to_uppercase()));
    let second = added(&*store, &format!("x.{tag}c")).await;
    let inside = shown_as(&format!("x{tag}"));
    for user in [&by_display, &inside] {
        add(&*store, user).await;
    }
    let mut expected = vec![a.clone(), b.clone(), by_display.clone(), second];
    expected.sort_by(|x, y| x.username.cmp(&y.username));
    assert_eq!(store.search_users(&tag.to_uppercase(), 10).await.unwrap(), expected);
    assert_eq!(store.search_users(&tag, 2).await.unwrap(), expected[..2]);
    assert_eq!(store.search_users(&format!("{tag}äR"), 10).await.unwrap(), [by_display]);
    assert_eq!(store.search_users(&format!("{tag}b"), 10).await.unwrap(), [b]);
    assert!(store.search_users(&format!("{tag}z"), 10).await.unwrap().is_empty());
    assert!(store.search_users(&tag, 0).await.unwrap().is_empty());
}

pub async fn search_finds_any_word_without_accents_case_and_form(store: Arc<dyn Store>) {
    let tag = unique_name();
    let zoe = shown_as(&format!("Zoë{tag} Smith{tag}-Jones{tag}"));
    let city = shown_as(&format!("from İstanbul{tag}"));
    for user in [&zoe, &city] {
        add(&*store, user).await;
    }
    for query in ["smith", "SMITH", "jones", "zoe", "Zoë", "zoe\u{308}", "ＺＯＥ"] {
        let found = store.search_users(&format!("{query}{tag}"), 5).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&zoe), "{query}");
    }
    assert_eq!(store.search_users(&format!("istanbul{tag}"), 5).await.unwrap(), [city]);
    // Every word of the query counts, in any order, the last of them begun only.
    let both = format!("jones{tag} zoe");
    assert_eq!(store.search_users(&both, 5).await.unwrap(), [zoe]);
    assert!(store.search_users(&format!("jones{tag} adam"), 5).await.unwrap().is_empty());
}

pub async fn a_name_of_many_words_is_found_by_the_first_of_them(store: Arc<dyn Store>) {
    let tag = unique_name();
    let word = |n: usize| format!("{tag}{n:02}");
    let name: Vec<String> = (0..limits::SEARCH_WORDS + 4).map(word).collect();
    let user = shown_as(&name.join(" "));
    add(&*store, &user).await;
    let last = limits::SEARCH_WORDS - 1;
    for n in [0, last] {
        assert_eq!(store.search_users(&word(n), 5).await.unwrap(), std::slice::from_ref(&user));
    }
    assert!(store.search_users(&word(last + 1), 5).await.unwrap().is_empty());
}

pub async fn no_user_is_found_by_a_word_of_before(store: Arc<dyn Store>) {
    let (old, kept, new) = (unique_name(), unique_name(), unique_name());
    let user = shown_as(&format!("{old} {kept}"));
    add(&*store, &user).await;
    let renamed = store.set_display_name(user.id, &format!("{kept} {new}")).await.unwrap().unwrap();
    assert!(store.search_users(&old, 5).await.unwrap().is_empty());
    for word in [&kept, &new, &user.username] {
        assert_eq!(store.search_users(word, 5).await.unwrap(), std::slice::from_ref(&renamed));
    }
    // A repeated registration undoes nothing.
    add(&*store, &user).await;
    assert!(store.search_users(&old, 5).await.unwrap().is_empty());
}

pub async fn search_takes_wildcards_literally(store: Arc<dyn Store>) {
    let tag = unique_name();
    let user = shown_as(&format!("{tag}yx"));
    add(&*store, &user).await;
    for none in ["%", "_", "*", "?", "'", "\0", "\\", "", " ", "👍"] {
        assert!(store.search_users(none, 10).await.unwrap().is_empty(), "{none}");
        let between = format!("{tag}{none}x");
        assert!(store.search_users(&between, 10).await.unwrap().is_empty(), "{between}");
    }
    let table = format!("{tag}%'; DROP TABLE users; --");
    assert!(store.search_users(&table, 10).await.unwrap().is_empty());
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
    let unknown = UserId::fresh();
    store.set_password_hash(unknown, "$argon2id$other", None).await.unwrap();
    assert!(store.credentials_of(unknown).await.unwrap().is_none());
}

pub async fn of_names_changed_at_once_the_one_shown_is_found(store: Arc<dyn Store>) {
    let user = added(&*store, &unique_name()).await;
    let names: Vec<String> = (0..4).map(|_| unique_name()).collect();
    for _ in 0..5 {
        let changes = names.iter().map(|name| store.set_display_name(user.id, name));
        assert!(join_all(changes).await.into_iter().all(|changed| changed.unwrap().is_some()));
        let shown = store.users(&[user.id]).await.unwrap().remove(0);
        for name in &names {
            let found = store.search_users(name, 5).await.unwrap();
            assert_eq!(found.contains(&shown), *name == shown.display_name, "{name} of {shown:?}");
        }
    }
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

/// With an address and a name that are sealed and found by these words.
fn sealed(user: &User, email: &str, name: &[&str]) -> User {
    let name: Vec<String> = name.iter().map(|word| (*word).to_owned()).collect();
    User {
        email: profile::sealed(&[email.to_owned()], "c2VhbGVk"),
        display_name: profile::sealed(&name, "c2VhbGVk"),
        ..user.clone()
    }
}

pub async fn sealed_profiles_are_found_by_their_words_beside_those_in_clear(store: Arc<dyn Store>) {
    // Hashes differ by case.
    let (email, word, other) = (format!("A{}", unique_name()), unique_name(), unique_name());
    let anna = sealed(&user(&unique_name()), &email, &[&word, &other]);
    assert_eq!(store.add_user(&anna, PASSWORD_HASH).await.unwrap(), AddUser::Added);
    let bob = added(&*store, &unique_name()).await;
    assert_eq!(store.users(&[anna.id, bob.id]).await.unwrap(), [anna.clone(), bob]);
    let by_email = store.credentials(&profile::word(&email)).await.unwrap().unwrap();
    assert_eq!(by_email.user, anna);
    assert!(store.credentials(&email).await.unwrap().is_none(), "what is typed is no look-up");
    let rival = sealed(&user(&unique_name()), &email, &[]);
    assert_eq!(store.add_user(&rival, PASSWORD_HASH).await.unwrap(), AddUser::EmailTaken);
    let find = async |words: &[&str]| {
        // Each is its own hash.
        let query = profile::search(&words.join(" "), |word| Some(word.to_owned()));
        store.search_users(&query, 10).await.unwrap()
    };
    assert_eq!(find(&[&word]).await, std::slice::from_ref(&anna));
    assert_eq!(find(&[&other, &word]).await, std::slice::from_ref(&anna));
    assert_eq!(find(&[&word, "elsewhere"]).await, []);
    assert_eq!(find(&[]).await, []);
    assert_eq!(store.search_users(&word, 10).await.unwrap(), []);
    assert_eq!(
        store.search_users(&anna.username, 10).await.unwrap(),
        std::slice::from_ref(&anna),
        "by the username"
    );
    let renamed = sealed(&anna, &email, &["another"]).display_name;
    store.set_display_name(anna.id, &renamed).await.unwrap();
    assert_eq!(find(&[&word]).await, []);
}

pub async fn a_profile_is_stored_otherwise_only_as_it_was_read(store: Arc<dyn Store>) {
    let (email, word) = (unique_name(), unique_name());
    let clear = added(&*store, &unique_name()).await;
    let other = added(&*store, &unique_name()).await;
    let to = sealed(&clear, &email, &[&word]);
    assert!(!store.replace_profile(&to, &clear).await.unwrap(), "it is not as in `from`");
    assert!(!store.replace_profile(&user(&unique_name()), &to).await.unwrap());
    assert_eq!(store.users(&[clear.id]).await.unwrap(), std::slice::from_ref(&clear));
    assert!(store.replace_profile(&clear, &to).await.unwrap());
    assert!(!store.replace_profile(&clear, &to).await.unwrap(), "it was replaced");
    assert_eq!(store.users(&[clear.id]).await.unwrap(), std::slice::from_ref(&to));
    assert_eq!(store.credentials(&profile::word(&email)).await.unwrap().unwrap().user, to);
    assert!(store.credentials(&clear.email).await.unwrap().is_none());
    let query = profile::search(&word, |word| Some(word.to_owned()));
    let found = store.search_users(&query, 10).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&to));
    // The address is this user's, however it is stored.
    let rival = sealed(&other, &email, &[]);
    assert!(!store.replace_profile(&other, &rival).await.unwrap());
    assert_eq!(store.users(&[other.id]).await.unwrap(), std::slice::from_ref(&other));
    assert!(store.replace_profile(&to, &clear).await.unwrap(), "and back");
    assert_eq!(store.credentials(&clear.email).await.unwrap().unwrap().user, clear);
    assert!(store.replace_profile(&other, &rival).await.unwrap(), "the address is free");
}

pub async fn every_user_comes_once_in_pages(store: Arc<dyn Store>) {
    let mut users = Vec::new();
    for _ in 0..10 {
        users.push(added(&*store, &unique_name()).await);
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.users_after(after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page.into_iter().filter(|user| users.iter().any(|other| other.id == user.id)));
    }
    found.sort_by_key(|user| user.id);
    users.sort_by_key(|user| user.id);
    assert_eq!(found, users);
}
