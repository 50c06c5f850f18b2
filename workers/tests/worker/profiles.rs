//! Email addresses and display names of users, sealed in the store.

use std::num::NonZeroU32;

use crate::harness::{Harness, PARTITIONS, ROOT, refusal, roots};
use futures_util::future::join_all;
use natter_schemas::{
    code::Code,
    id::UserId,
    rpc::{
        FindUsers, GetOwnUser, LogIn, NO_USER, OpenedSession, RegisterUser, RpcError, SearchUsers,
        UpdateUser, User,
    },
};
use natter_store::{AccountStore, ErasureStore, KeyPurpose::Profile, KeyStore, UserKeys};
use natter_workers::{
    Job,
    services::keys::{Maintenance, Needed, ResealedProfiles, Roots, UpTo},
};

const JOBS: [Job; 3] = [Job::Keys, Job::Accounts, Job::Conversations];
const FAST: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();
const PASSWORD: &str = "correct horse";

/// Workers that seal what they write, or not.
async fn workers(seals: bool) -> Harness {
    let mut harness = Harness::with(&[]).await;
    harness.dependencies.seals = seals;
    harness.start(&JOBS).await;
    harness
}

/// The same deployment, set otherwise.
async fn restart(harness: &mut Harness, seals: bool) {
    harness.stop().await;
    harness.dependencies.seals = seals;
    harness.start(&JOBS).await;
}

async fn register(
    harness: &Harness,
    username: &str,
    email: &str,
    name: &str,
) -> Result<OpenedSession, RpcError> {
    let (username, email, display_name) = (username.to_owned(), email.to_owned(), Some(name.to_owned()));
    harness.rpc.call(&RegisterUser { username, email, display_name, password: PASSWORD.to_owned() }).await
}

async fn zoe(harness: &Harness) -> User {
    register(harness, "zoe", "Zoe@Example.org", "Zoë Müller").await.unwrap().user
}

async fn found_by(harness: &Harness, text: &str) -> Vec<User> {
    harness.rpc.call(&SearchUsers { query: text.to_owned(), limit: 10 }).await.unwrap()
}

async fn log_in(harness: &Harness, login: &str) -> Result<OpenedSession, RpcError> {
    harness.rpc.call(&LogIn { login: login.to_owned(), password: PASSWORD.to_owned() }).await
}

async fn find(harness: &Harness, user: UserId) -> User {
    harness.rpc.call(&GetOwnUser { user }).await.unwrap()
}

/// As others see the user.
fn shown(user: &User) -> User {
    User { email: String::new(), ..user.clone() }
}

/// As the store has the user.
async fn stored(harness: &Harness, user: UserId) -> User {
    harness.store.users(&[user]).await.unwrap().pop().unwrap()
}

fn is_in_clear(stored: &User) -> bool {
    let text = format!("{} {}", stored.email, stored.display_name).to_lowercase();
    text.contains("example") || text.contains("ller")
}

fn maintenance<'a>(harness: &'a Harness, roots: &'a Roots) -> Maintenance<'a> {
    Maintenance { store: &*harness.store, roots, publisher: &harness.dependencies.publisher }
}

async fn reseal(harness: &Harness, after: Option<UserId>) -> ResealedProfiles {
    maintenance(harness, &roots(&[ROOT])).reseal_profiles(after, FAST, |_| ()).await.unwrap()
}

#[tokio::test]
async fn a_sealed_user_is_shown_found_and_logged_in_as_any_other() {
    let harness = workers(true).await;
    let user = zoe(&harness).await;
    assert_eq!((user.email.as_str(), user.display_name.as_str()), ("Zoe@Example.org", "Zoë Müller"));
    assert!(!is_in_clear(&stored(&harness, user.id).await));
    assert_eq!(find(&harness, user.id).await, user);
    for login in ["zoe", "zoe@example.ORG"] {
        assert_eq!(log_in(&harness, login).await.unwrap().user, user, "{login}");
    }
    for words in ["zo", "ZOE", "müll", "muller zo", "zoe"] {
        assert_eq!(found_by(&harness, words).await, [shown(&user)], "{words}");
    }
    for words in ["oe", "mullers", "zoe x", "example"] {
        assert_eq!(found_by(&harness, words).await, [], "{words}");
    }
    // Neither what is stored nor a hash of it lets anyone in, or finds anyone.
    let email = stored(&harness, user.id).await.email;
    let hash = email.rsplit_once('\u{1}').unwrap().0.to_owned();
    for login in [&email, &hash] {
        assert_eq!(refusal(log_in(&harness, login).await).0, Code::BadCredentials);
        assert_eq!(found_by(&harness, &format!("zoe{login}")).await, []);
    }
}

#[tokio::test]
async fn a_changed_name_is_found_by_its_new_words_alone() {
    let harness = workers(true).await;
    let user = zoe(&harness).await;
    let call = UpdateUser { user: user.id, display_name: "Ada Müllerin".to_owned() };
    let changed = harness.rpc.call(&call).await.unwrap();
    assert_eq!((changed.display_name.as_str(), &changed.email), ("Ada Müllerin", &user.email));
    assert_eq!(found_by(&harness, "ada").await, [shown(&changed)]);
    // The username is not sealed.
    assert_eq!(found_by(&harness, "zoe muller").await, [shown(&changed)]);
    assert_eq!(found_by(&harness, "zoë adam").await, []);
    assert!(!is_in_clear(&stored(&harness, user.id).await));
}

#[tokio::test]
async fn of_registrations_of_one_address_at_once_one_wins() {
    let harness = workers(true).await;
    let addresses = ["a@example.org", "A@example.org", "a@EXAMPLE.org", "A@Example.Org"];
    let attempts = addresses.iter().enumerate().map(async |(n, email)| {
        register(&harness, &format!("user{n}"), email, "x").await.err().map(|refused| refused.code)
    });
    let outcomes = join_all(attempts).await;
    let refused: Vec<Code> = outcomes.into_iter().flatten().collect();
    assert_eq!(refused, [Code::EmailTaken; 3]);
}

#[tokio::test]
async fn no_key_is_made_for_who_cannot_be_registered() {
    let harness = workers(true).await;
    zoe(&harness).await;
    let keys = async || harness.store.user_keys_after(None, 100).await.unwrap().len();
    let before = keys().await;
    for (username, email, code) in
        [("zoe", "b@example.org", Code::UsernameTaken), ("other", "zoe@example.org", Code::EmailTaken)]
    {
        assert_eq!(refusal(register(&harness, username, email, "x").await).0, code);
    }
    assert_eq!(keys().await, before);
}

#[tokio::test]
async fn sealed_and_plain_users_are_side_by_side_however_it_is_set() {
    let mut harness = workers(false).await;
    let plain = zoe(&harness).await;
    assert!(is_in_clear(&stored(&harness, plain.id).await));
    restart(&mut harness, true).await;
    let taken = register(&harness, "rival", "zoe@example.org", "x").await;
    assert_eq!(refusal(taken).0, Code::EmailTaken);
    let sealed = register(&harness, "bea", "bea@example.org", "Béa Müllner").await.unwrap().user;
    restart(&mut harness, false).await;
    let taken = register(&harness, "rival", "BEA@example.org", "x").await;
    assert_eq!(refusal(taken).0, Code::EmailTaken);
    for user in [&plain, &sealed] {
        assert_eq!(find(&harness, user.id).await, *user);
        assert_eq!(log_in(&harness, &user.email.to_uppercase()).await.unwrap().user, *user);
    }
    assert_eq!(found_by(&harness, "mull").await, [shown(&sealed), shown(&plain)], "by username");
    // Sealed by the next write, as a whole; in clear again when that is set.
    restart(&mut harness, true).await;
    let call = UpdateUser { user: plain.id, display_name: "Zoë Müller-Lüdenscheidt".to_owned() };
    harness.rpc.call(&call).await.unwrap();
    assert!(!is_in_clear(&stored(&harness, plain.id).await));
    assert_eq!(log_in(&harness, "zoe@example.org").await.unwrap().user.email, "Zoe@Example.org");
}

#[tokio::test]
async fn without_its_key_a_user_is_shown_by_the_username() {
    let mut harness = workers(true).await;
    let user = zoe(&harness).await;
    let bob = register(&harness, "bob", "bob@example.org", "Bob B").await.unwrap().user;
    let room = harness.group(bob.id, &[user.id]).await;
    // Of a new process: there is another root, and the one of before is not set.
    harness.stop().await;
    harness.dependencies.roots = Some(roots(&[ROOT + 1]));
    harness.start(&JOBS).await;
    let shown = harness.rpc.call(&FindUsers { users: vec![user.id, bob.id] }).await.unwrap();
    let names: Vec<_> = shown.iter().map(|user| (user.display_name.as_str(), user.email.as_str())).collect();
    assert_eq!(names, [("zoe", ""), ("bob", "")]);
    let participants = harness.view(bob.id, room).await.unwrap().participants.unwrap();
    assert!(participants.iter().all(|shown| shown.display_name == shown.username), "{participants:?}");
    assert_eq!(found_by(&harness, "zoe").await.len(), 1);
    assert!(log_in(&harness, "zoe").await.is_ok());
    for refused in [log_in(&harness, "zoe@example.org").await, register(&harness, "eve", "e@e.e", "x").await]
    {
        assert_eq!(refusal(refused).0, Code::Unavailable);
    }
    // Nor without any service of keys.
    harness.stop().await;
    harness.start(&JOBS[1..]).await;
    assert_eq!(find(&harness, user.id).await.display_name, "zoe");
}

#[tokio::test]
async fn users_from_before_are_sealed_once_and_in_parts() {
    let mut harness = workers(false).await;
    let mut users = vec![zoe(&harness).await];
    for n in 0..5 {
        let (name, email) = (format!("user{n}"), format!("user{n}@example.org"));
        users.push(register(&harness, &name, &email, "Zoë Müller").await.unwrap().user);
    }
    restart(&mut harness, true).await;
    users.sort_by_key(|user| user.id);
    let done = reseal(&harness, Some(users[2].id)).await;
    assert_eq!((done.sealed, done.last), (3, Some(users[5].id)));
    let done = reseal(&harness, None).await;
    assert_eq!((done.sealed, done.unchanged, done.users()), (3, 3, 6));
    for user in &users {
        assert!(!is_in_clear(&stored(&harness, user.id).await));
        assert_eq!(find(&harness, user.id).await, *user);
        assert_eq!(log_in(&harness, &user.email).await.unwrap().user.id, user.id);
    }
    assert_eq!(found_by(&harness, "mull").await.len(), 6);
    assert_eq!(reseal(&harness, None).await.unchanged, 6);
}

#[tokio::test]
async fn new_roots_and_keys_leave_every_address_found() {
    let mut harness = workers(true).await;
    let user = zoe(&harness).await;
    let (both, before) = (roots(&[ROOT + 1, ROOT]), roots(&[ROOT]));
    let rotated = maintenance(&harness, &before).rotate(None, |_| ()).await.unwrap();
    assert_eq!((rotated.changed, rotated.unchanged), (1, 0), "the key of look-ups is no user's");
    let (log, old) = (harness.dependencies.log.clone(), UpTo(1));
    let needed = async || maintenance(&harness, &before).needed(old, &log, PARTITIONS).await.unwrap();
    assert_eq!(needed().await, Needed { keys: 1, profiles: 1, ..Needed::default() });
    assert_eq!(reseal(&harness, None).await.sealed, 1);
    assert_eq!(needed().await, Needed { keys: 1, ..Needed::default() });
    assert_eq!(maintenance(&harness, &before).remove(old).await.unwrap(), 1);
    assert_eq!(maintenance(&harness, &both).rewrap(false, |_| ()).await.unwrap().changed, 1);
    let wrapped = maintenance(&harness, &both).wrapped().await.unwrap();
    assert_eq!(wrapped.by_root.len(), 1);
    assert_eq!(wrapped.look_ups.as_ref(), wrapped.by_root.keys().next());
    harness.stop().await;
    harness.dependencies.roots = Some(roots(&[ROOT + 1]));
    harness.start(&JOBS).await;
    assert_eq!(log_in(&harness, "zoe@example.org").await.unwrap().user, user);
    assert_eq!(found_by(&harness, "mull").await, [shown(&user)]);
    let look_up = harness.store.keys(&[NO_USER], Profile).await.unwrap();
    assert_eq!(look_up[0].data.len(), 1);
}

#[tokio::test]
async fn an_erased_user_leaves_no_key_and_no_hash() {
    let harness = workers(true).await;
    let user = zoe(&harness).await;
    harness.store.request_erasure(user.id, user.created_at).await.unwrap();
    harness.store.erase_keys(user.id).await.unwrap();
    harness.store.erase_profile(user.id).await.unwrap();
    let left = stored(&harness, user.id).await;
    assert_eq!((left.email.as_str(), left.display_name.as_str()), ("", ""));
    assert_eq!(harness.store.keys(&[user.id], Profile).await.unwrap(), [UserKeys::default()]);
    assert_eq!(found_by(&harness, "muller").await, []);
    let traces = harness.store.traces(user.id).await.unwrap();
    assert_eq!((traces.profiles, traces.user_keys, traces.data_keys), (0, 0, 0));
    assert_eq!(reseal(&harness, None).await.unchanged, 1, "nothing is made again");
    // Others may have the address.
    assert!(register(&harness, "zoe", "zoe@example.org", "Zoë Müller").await.is_ok());
}
