//! Users, passwords and sessions, as edges see them.

use std::time::{Duration, Instant};

use crate::harness::{Harness, refusal};
use futures_util::{StreamExt, future::join_all};
use natter_nats::{connect::Purpose, subject, topology};
use natter_runtime::shared_state::Heartbeat;
use natter_schemas::{
    code::Code,
    event::Timestamp,
    id::{SessionId, UserId},
    limits,
    rpc::{
        EndSession, EraseUserByLogIn, FindUser, FindUsers, GetOwnUser, ListSessions, LogIn, LogOut,
        NewPassword, OpenedSession, PresenceChange, RefreshSession, RegisterUser, ResetPassword, RpcError,
        SearchUsers, UpdateUser, User,
    },
};
use natter_store::{AccountStore, no_password};
use natter_workers::{Job, password_link, remember_log_in};

const PASSWORD: &str = "correct horse";

fn registration(name: &str) -> RegisterUser {
    RegisterUser {
        username: name.to_owned(),
        email: format!("{name}@example.org"),
        password: PASSWORD.to_owned(),
        display_name: None,
    }
}

async fn accounts() -> Harness {
    Harness::with(&[Job::Accounts]).await
}

async fn register(harness: &Harness, name: &str) -> OpenedSession {
    harness.rpc.call(&registration(name)).await.unwrap()
}

async fn log_in(harness: &Harness, login: &str, password: &str) -> Result<OpenedSession, RpcError> {
    harness.rpc.call(&LogIn { login: login.to_owned(), password: password.to_owned() }).await
}

async fn renew(harness: &Harness, token: &str) -> Result<OpenedSession, Code> {
    harness
        .rpc
        .call(&RefreshSession { refresh_token: token.to_owned() })
        .await
        .map_err(|refused| refused.code)
}

async fn ended(harness: &Harness) -> Vec<String> {
    harness.stored(topology::CONTROL).await.iter().map(|message| message.subject.to_string()).collect()
}

#[tokio::test]
async fn a_user_logs_in_by_name_or_address_in_any_case() {
    let harness = accounts().await;
    let alice = register(&harness, "alice").await;
    assert_eq!(alice.user.display_name, "alice");
    for login in ["alice", "ALICE", "Alice@Example.org"] {
        let session = log_in(&harness, login, PASSWORD).await.unwrap();
        assert_eq!(session.user, alice.user);
        assert_ne!(session.session, alice.session);
    }
    assert_eq!(refusal(log_in(&harness, "alice", "wrong horse").await).0, Code::BadCredentials);
    assert_eq!(refusal(log_in(&harness, "unknown", PASSWORD).await).0, Code::BadCredentials);
    assert_eq!(refusal(log_in(&harness, "", "").await).0, Code::BadCredentials);
}

#[tokio::test]
async fn what_is_taken_or_against_the_rules_is_named() {
    let harness = accounts().await;
    register(&harness, "alice").await;
    let same_name = RegisterUser { email: "other@example.org".to_owned(), ..registration("alice") };
    assert_eq!(refusal(harness.rpc.call(&same_name).await).0, Code::UsernameTaken);
    let same_address = RegisterUser { email: "ALICE@example.org".to_owned(), ..registration("alicia") };
    assert_eq!(refusal(harness.rpc.call(&same_address).await).0, Code::EmailTaken);
    let field = |field: &str| (Code::Invalid, Some(field.to_owned()));
    let bad = RegisterUser { username: "Alice Smith".to_owned(), ..registration("x") };
    assert_eq!(refusal(harness.rpc.call(&bad).await), field("username"));
    let bad = RegisterUser { email: "nowhere".to_owned(), ..registration("carol") };
    assert_eq!(refusal(harness.rpc.call(&bad).await), field("email"));
    let bad = RegisterUser { password: "short".to_owned(), ..registration("carol") };
    assert_eq!(refusal(harness.rpc.call(&bad).await), field("password"));
    let bad = RegisterUser { display_name: Some(" ".to_owned()), ..registration("carol") };
    assert_eq!(refusal(harness.rpc.call(&bad).await), field("displayName"));
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next() {
    let harness = accounts().await;
    let mut opened = register(&harness, "alice").await;
    for _ in 0..3 {
        let next = renew(&harness, &opened.refresh_token).await.unwrap();
        assert_eq!((next.session, &next.user), (opened.session, &opened.user));
        assert_ne!(next.refresh_token, opened.refresh_token);
        opened = next;
    }
    assert_eq!(renew(&harness, "made up").await.err(), Some(Code::Unauthenticated));
}

#[tokio::test]
async fn a_reused_refresh_token_ends_its_session() {
    let harness = Harness::with_grace(&[Job::Accounts], Duration::ZERO).await;
    let first = register(&harness, "alice").await;
    let other = log_in(&harness, "alice", PASSWORD).await.unwrap();
    let second = renew(&harness, &first.refresh_token).await.unwrap();
    assert_eq!(renew(&harness, &first.refresh_token).await.err(), Some(Code::Unauthenticated));
    assert_eq!(renew(&harness, &second.refresh_token).await.err(), Some(Code::Unauthenticated));
    assert_eq!(ended(&harness).await, [subject::control_session(first.session)]);
    renew(&harness, &other.refresh_token).await.unwrap();
}

#[tokio::test]
async fn tabs_that_renew_at_once_get_the_same_successor() {
    let harness = accounts().await;
    let opened = register(&harness, "alice").await;
    let tabs = join_all((0..5).map(|_| renew(&harness, &opened.refresh_token))).await;
    let tokens: Vec<String> = tabs.into_iter().map(|answer| answer.unwrap().refresh_token).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0] && *token != opened.refresh_token), "{tokens:?}");
    // One tab goes on; the others, still with the first token, are given what is newest.
    let next = renew(&harness, &tokens[0]).await.unwrap();
    let late = renew(&harness, &opened.refresh_token).await.unwrap();
    assert_eq!((late.refresh_token, late.session), (next.refresh_token, opened.session));
    assert!(ended(&harness).await.is_empty());
}

#[tokio::test]
async fn a_session_that_outlived_a_new_password_ends_at_its_renewal() {
    let harness = accounts().await;
    let here = register(&harness, "alice").await;
    let there = log_in(&harness, "alice", PASSWORD).await.unwrap();
    // The service dies after the first of its steps.
    harness.store.set_password_hash(here.user.id, "$argon2id$next", Some(here.session)).await.unwrap();
    assert_eq!(renew(&harness, &there.refresh_token).await.err(), Some(Code::Unauthenticated));
    assert_eq!(ended(&harness).await, [subject::control_session(there.session)]);
    renew(&harness, &here.refresh_token).await.unwrap();
}

#[tokio::test]
async fn logging_out_ends_one_session_or_all_of_them() {
    let harness = accounts().await;
    let first = register(&harness, "alice").await;
    let second = log_in(&harness, "alice", PASSWORD).await.unwrap();
    let third = log_in(&harness, "alice", PASSWORD).await.unwrap();
    let user = first.user.id;
    harness.rpc.call(&LogOut { user, session: Some(first.session) }).await.unwrap();
    assert_eq!(renew(&harness, &first.refresh_token).await.err(), Some(Code::Unauthenticated));
    let second = renew(&harness, &second.refresh_token).await.unwrap();

    harness.rpc.call(&LogOut { user, session: None }).await.unwrap();
    for gone in [&second, &third] {
        assert_eq!(renew(&harness, &gone.refresh_token).await.err(), Some(Code::Unauthenticated));
    }
    let mut received = ended(&harness).await;
    let mut expected = [first.session, second.session, third.session].map(subject::control_session);
    received.sort();
    expected.sort();
    assert_eq!(received, expected);
}

#[tokio::test]
async fn sessions_are_listed_newest_first_and_ended_by_their_user() {
    let harness = accounts().await;
    let first = register(&harness, "alice").await;
    let second = log_in(&harness, "alice", PASSWORD).await.unwrap();
    let mallory = register(&harness, "mallory").await.user.id;
    let user = first.user.id;
    let listed = async |limit| harness.rpc.call(&ListSessions { user, limit }).await.unwrap();
    let mut newest_first = vec![first.session, second.session];
    newest_first.sort_by(|a, b| b.cmp(a));
    assert_eq!(listed(10).await, newest_first);
    assert_eq!(listed(1).await, newest_first[..1]);

    let of_another = EndSession { user: mallory, session: second.session };
    assert_eq!(refusal(harness.rpc.call(&of_another).await).0, Code::NotFound);
    let end = EndSession { user, session: second.session };
    harness.rpc.call(&end).await.unwrap();
    assert_eq!(listed(10).await, [first.session]);
    assert_eq!(renew(&harness, &second.refresh_token).await.err(), Some(Code::Unauthenticated));
    assert_eq!(refusal(harness.rpc.call(&end).await).0, Code::NotFound);
}

#[tokio::test]
async fn a_log_out_ends_the_heartbeats_of_its_session() {
    let harness = accounts().await;
    let first = register(&harness, "alice").await;
    let second = log_in(&harness, "alice", PASSWORD).await.unwrap();
    let (user, shared) = (first.user.id, &harness.dependencies.shared);
    let heartbeats = [first.session, second.session].map(|session| Heartbeat::without_socket(user, session));
    shared.heartbeat(&heartbeats, Duration::from_mins(5)).await.unwrap();
    let online = async || shared.presence(&[user]).await.unwrap()[0].online;
    harness.rpc.call(&LogOut { user, session: Some(first.session) }).await.unwrap();
    assert!(online().await, "the other session keeps her online");
    let mut changes = harness.server.client(Purpose::Live).await.subscribe(subject::PRESENCES).await.unwrap();
    harness.rpc.call(&LogOut { user, session: None }).await.unwrap();
    assert!(!online().await);
    let change = tokio::time::timeout(natter_testkit::PATIENCE, changes.next()).await.unwrap().unwrap();
    let change: PresenceChange = postcard::from_bytes(&change.payload).unwrap();
    assert_eq!((change.user, change.online), (user, false));
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_needs_the_old_one() {
    let harness = accounts().await;
    let here = register(&harness, "alice").await;
    let there = log_in(&harness, "alice", PASSWORD).await.unwrap();
    let change = |current: &str, next: &str| NewPassword {
        user: here.user.id,
        session: here.session,
        current: current.to_owned(),
        next: next.to_owned(),
    };
    assert_eq!(
        refusal(harness.rpc.call(&change("wrong horse", "battery staple")).await).0,
        Code::BadCredentials
    );
    assert_eq!(
        refusal(harness.rpc.call(&change(PASSWORD, "short")).await),
        (Code::Invalid, Some("next".to_owned()))
    );
    harness.rpc.call(&change(PASSWORD, "battery staple")).await.unwrap();
    assert_eq!(refusal(log_in(&harness, "alice", PASSWORD).await).0, Code::BadCredentials);
    log_in(&harness, "alice", "battery staple").await.unwrap();
    renew(&harness, &here.refresh_token).await.unwrap();
    assert_eq!(renew(&harness, &there.refresh_token).await.err(), Some(Code::Unauthenticated));
    assert_eq!(ended(&harness).await, [subject::control_session(there.session)]);
}

#[tokio::test]
async fn profiles_are_found_and_changed() {
    let harness = accounts().await;
    let alice = register(&harness, "alice").await.user;
    let alan = register(&harness, "alan").await.user;
    register(&harness, "bob").await;
    let search = |query: &str| SearchUsers { query: query.to_owned(), limit: 20 };
    let found = harness.rpc.call(&search("AL")).await.unwrap();
    assert_eq!(found.iter().map(|user| user.id).collect::<Vec<_>>(), [alan.id, alice.id]);
    assert!(harness.rpc.call(&search(" ")).await.unwrap().is_empty());
    assert!(harness.rpc.call(&search("%")).await.unwrap().is_empty());

    let renamed = UpdateUser { user: alice.id, display_name: "Alice Liddell".to_owned() };
    assert_eq!(harness.rpc.call(&renamed).await.unwrap().display_name, "Alice Liddell");
    assert_eq!(harness.rpc.call(&FindUser { user: alice.id }).await.unwrap().display_name, "Alice Liddell");
    let unknown = UserId::fresh();
    assert_eq!(refusal(harness.rpc.call(&FindUser { user: unknown }).await).0, Code::NotFound);
    let some = harness.rpc.call(&FindUsers { users: vec![unknown, alan.id] }).await.unwrap();
    assert_eq!(
        some,
        [User { email: String::new(), ..alan.clone() }],
        "an address is shown to its user alone"
    );
    assert_eq!(harness.rpc.call(&GetOwnUser { user: alan.id }).await.unwrap(), alan);
}

#[tokio::test]
async fn names_are_kept_trimmed_and_composed_and_none_deceives() {
    let harness = accounts().await;
    let as_shown =
        |name: &str, shown: &str| RegisterUser { display_name: Some(shown.to_owned()), ..registration(name) };
    let zoe = harness.rpc.call(&as_shown("zoe-s", "  Zoe\u{308} Smith \u{3000}")).await.unwrap().user;
    assert_eq!(zoe.display_name, "Zoë Smith");
    let zoe = User { email: String::new(), ..zoe };
    for query in ["zoe", "smith", "SMI zo", "s"] {
        let found = harness.rpc.call(&SearchUsers { query: query.to_owned(), limit: 5 }).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&zoe), "{query}");
    }
    let rename = |name: &str| UpdateUser { user: zoe.id, display_name: name.to_owned() };
    for bad in ["\u{200B}", "\u{3164}", "\u{2800}", "\0", "Al\u{202E}ice", "Al\u{200B}ice", "\u{FEFF}Alice"] {
        let invalid = (Code::Invalid, Some("displayName".to_owned()));
        assert_eq!(refusal(harness.rpc.call(&rename(bad)).await), invalid, "{bad:?}");
        assert_eq!(refusal(harness.rpc.call(&as_shown("mallory", bad)).await), invalid, "{bad:?}");
    }
    assert_eq!(harness.rpc.call(&rename(" A\u{30A}sa ")).await.unwrap().display_name, "Åsa");
    assert_eq!(harness.rpc.call(&SearchUsers { query: "asa".to_owned(), limit: 5 }).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_login_storm_is_answered_or_refused_and_both_in_time() {
    let harness = accounts().await;
    register(&harness, "alice").await;
    let threads = std::thread::available_parallelism().unwrap().get();
    let storm = (0..4 * (limits::HASHES_WAITING + threads)).map(|_| log_in(&harness, "alice", PASSWORD));
    let answers = join_all(storm).await;
    let refused: Vec<Code> =
        answers.iter().filter_map(|answer| answer.as_ref().err()).map(|r| r.code).collect();
    assert!(refused.iter().all(|code| *code == Code::RateLimited), "{refused:?}");
    assert!(!refused.is_empty(), "the queue is bounded");
    assert!(answers.len() - refused.len() >= limits::HASHES_WAITING, "those in the queue are served");
    log_in(&harness, "alice", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn an_unknown_login_takes_as_long_as_a_wrong_password() {
    let harness = accounts().await;
    register(&harness, "alice").await;
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..5 {
        for (login, best) in ["alice", "unknown"].iter().zip(&mut fastest) {
            let begun = Instant::now();
            assert_eq!(refusal(log_in(&harness, login, "wrong horse").await).0, Code::BadCredentials);
            *best = (*best).min(begun.elapsed());
        }
    }
    let [known, unknown] = fastest;
    // Without the hash an unknown login would answer in a hundredth of the time.
    assert!(unknown * 2 > known && known * 2 > unknown, "known {known:?}, unknown {unknown:?}");
}

#[tokio::test]
async fn ending_a_session_that_was_never_opened_harms_none() {
    let harness = accounts().await;
    let alice = register(&harness, "alice").await;
    harness.rpc.call(&LogOut { user: alice.user.id, session: Some(SessionId::fresh()) }).await.unwrap();
    renew(&harness, &alice.refresh_token).await.unwrap();
}

/// What the link of a moment has behind its `#`.
async fn link_token(harness: &Harness, user: UserId, age: Duration) -> String {
    let at = Timestamp(Timestamp::now().0 - i64::try_from(age.as_millis()).unwrap());
    let link = password_link(&*harness.store, user, "https://chat.example", at).await.unwrap();
    link.strip_prefix("https://chat.example/reset-password#").unwrap().to_owned()
}

#[tokio::test]
async fn a_link_for_a_new_password_expires() {
    let harness = accounts().await;
    let user = register(&harness, "alice").await.user.id;
    let reset = async |token: String| {
        harness.rpc.call(&ResetPassword { token, next: "staple battery".to_owned() }).await
    };
    let old = link_token(&harness, user, limits::ONE_TIME_TOKEN).await;
    assert_eq!(refusal(reset(old).await), (Code::LinkInvalid, None));
    assert!(log_in(&harness, "alice", PASSWORD).await.is_ok());
    let young =
        link_token(&harness, user, limits::ONE_TIME_TOKEN.checked_sub(Duration::from_mins(2)).unwrap()).await;
    reset(young).await.unwrap();
    assert!(log_in(&harness, "alice", "staple battery").await.is_ok());
}

#[tokio::test]
async fn a_store_that_is_away_leaves_the_link_as_it_is() {
    let harness = accounts().await;
    let user = register(&harness, "alice").await.user.id;
    let token = link_token(&harness, user, Duration::ZERO).await;
    let call = ResetPassword { token, next: "staple battery".to_owned() };
    harness.store.set_away(true);
    assert_eq!(refusal(harness.rpc.call(&call).await), (Code::Unavailable, None));
    harness.store.set_away(false);
    harness.rpc.call(&call).await.unwrap();
}

#[tokio::test]
async fn a_log_in_of_ten_minutes_ago_erases_no_account() {
    let harness = accounts().await;
    let user = register(&harness, "alice").await.user.id;
    let call = EraseUserByLogIn { user, session: SessionId::fresh() };
    let log_in_of = async |age: Duration| {
        let at = Timestamp(Timestamp::now().0 - i64::try_from(age.as_millis()).unwrap());
        remember_log_in(&*harness.store, user, call.session, at).await.unwrap();
    };
    log_in_of(Duration::ZERO).await;
    assert_eq!(refusal(harness.rpc.call(&call).await), (Code::BadCredentials, None), "it has a password");
    harness.store.set_password_hash(user, &no_password("1"), None).await.unwrap();
    // The time is the log's, which this machine knows to within a round trip.
    log_in_of(limits::ERASURE_AFTER_LOG_IN + Duration::from_secs(1)).await;
    assert_eq!(refusal(harness.rpc.call(&call).await), (Code::BadCredentials, None), "too long ago");
    log_in_of(limits::ERASURE_AFTER_LOG_IN / 2).await;
    harness.rpc.call(&call).await.unwrap();
    assert!(harness.store.credentials_of(user).await.unwrap().is_none());
}
