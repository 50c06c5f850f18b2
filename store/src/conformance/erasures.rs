use std::sync::Arc;

use futures_util::future::join_all;
use natter_schemas::{
    event::{Body, Kind, Timestamp},
    id::{ConversationId, ReservationId, SessionId, UserId},
    rpc::{User, Window},
};

use super::fixtures::{PASSWORD_HASH, SampleLog, added, at, plain, posted, unique_name, user};
use crate::{
    AddSession, AddUser, Exchange, KeyPurpose::Messages, NewSession, Renewal, Reservation, Store, Traces,
    UnreadMark, UserKeys, WrappedDataKey, WrappedUserKey,
};

const NOW: Timestamp = Timestamp(1_764_000_000_000);
const LATER: Timestamp = Timestamp(1_764_000_100_000);

fn log_in(user: UserId, password_hash: &str) -> NewSession {
    let mut token = [0; 32];
    token[..16].copy_from_slice(SessionId::fresh().as_bytes());
    let password_hash = password_hash.to_owned();
    NewSession { session: SessionId::fresh(), user, password_hash, token, now: NOW, expires_at: LATER }
}

async fn closed(store: &dyn Store) -> User {
    let user = added(store, &unique_name()).await;
    assert!(store.request_erasure(user.id, NOW).await.unwrap());
    user
}

fn key() -> (WrappedUserKey, WrappedDataKey) {
    let own = WrappedUserKey { root: "a root".to_owned(), wrapped: vec![1; 60] };
    (own, WrappedDataKey { epoch: 1, wrapped: vec![2; 60] })
}

pub async fn a_closed_account_opens_nothing_and_changes_nothing(store: Arc<dyn Store>) {
    let user = added(&*store, &unique_name()).await;
    let opened = log_in(user.id, PASSWORD_HASH);
    assert_eq!(store.add_session(&opened).await.unwrap(), AddSession::Added);
    assert!(!store.request_erasure(UserId::fresh(), NOW).await.unwrap(), "there is no such user");
    for _ in 0..2 {
        assert!(store.request_erasure(user.id, NOW).await.unwrap());
    }
    assert_eq!(store.sessions_of(user.id, NOW).await.unwrap(), [opened.session], "it is to be announced");

    for login in [&user.username, &user.email] {
        assert!(store.credentials(login).await.unwrap().is_none());
    }
    assert!(store.credentials_of(user.id).await.unwrap().is_none());
    store.set_password_hash(user.id, "another", None).await.unwrap();
    store.set_password_hash(user.id, "another", Some(opened.session)).await.unwrap();
    assert!(store.credentials_of(user.id).await.unwrap().is_none());
    for hash in [PASSWORD_HASH, "another"] {
        let refused = store.add_session(&log_in(user.id, hash)).await.unwrap();
        assert_eq!(refused, AddSession::PasswordChanged);
    }
    let exchange = Exchange {
        token: opened.token,
        next: [7; 32],
        seed: [8; 32],
        now: NOW,
        expires_at: LATER,
        grace: std::time::Duration::ZERO,
    };
    let renewal = store.renew_session(&exchange).await.unwrap();
    assert_eq!(renewal, Renewal::PasswordChanged { user: user.id, session: opened.session });
    assert_eq!(store.set_display_name(user.id, "Another name").await.unwrap(), None);
    assert_eq!(store.users(&[user.id]).await.unwrap()[0], user, "until it is erased");
    assert_eq!(store.search_users("Another", 10).await.unwrap(), []);
    assert_eq!(store.add_user(&user, PASSWORD_HASH).await.unwrap(), AddUser::Added, "as any repeat");
    assert!(store.credentials_of(user.id).await.unwrap().is_none());
}

pub async fn an_erased_user_is_an_id_without_names(store: Arc<dyn Store>) {
    let user = closed(&*store).await;
    for _ in 0..2 {
        store.erase_profile(user.id).await.unwrap();
    }
    let left = store.users(&[user.id]).await.unwrap().remove(0);
    assert!(left.is_erased() && left.id == user.id, "{left:?}");
    assert_eq!((left.username, left.email, left.display_name), (String::new(), String::new(), String::new()));
    assert_eq!(store.search_users(&user.username, 10).await.unwrap(), []);
    assert!(store.credentials(&user.email).await.unwrap().is_none());
    assert_eq!(store.set_display_name(user.id, "Back").await.unwrap(), None);

    let open = added(&*store, &unique_name()).await;
    store.erase_profile(open.id).await.unwrap();
    assert_eq!(store.users(&[open.id]).await.unwrap(), [open], "only of a closed account");
}

pub async fn names_of_an_erased_user_can_be_taken(store: Arc<dyn Store>) {
    let [first, second] = [closed(&*store).await, closed(&*store).await];
    let taken = store.add_user(&user(&first.username), PASSWORD_HASH).await.unwrap();
    assert_eq!(taken, AddUser::UsernameTaken, "until it is erased");
    for erased in [&first, &second] {
        store.erase_profile(erased.id).await.unwrap();
        let next = user(&erased.username);
        assert_eq!(store.add_user(&next, PASSWORD_HASH).await.unwrap(), AddUser::Added);
        store.erase_profile(erased.id).await.unwrap();
        let found = store.credentials(&next.email).await.unwrap().unwrap();
        assert_eq!(found.user, next, "what another has by now stays");
    }
}

pub async fn nothing_of_an_erased_user_is_counted(store: Arc<dyn Store>) {
    let (user, other) = (added(&*store, &unique_name()).await.id, added(&*store, &unique_name()).await.id);
    let mut sample = SampleLog::of(&[user, other]);
    let mut left_log = SampleLog::of(&[user]);
    left_log.add(user, Kind::MemberRemoved { user });
    sample.add(user, posted("hi"));
    for log in [&sample, &left_log] {
        log.persist(&*store).await;
    }
    let unread = UnreadMark { version: 1, position: 3, over: 9 };
    for who in [user, other] {
        store.add_session(&log_in(who, PASSWORD_HASH)).await.unwrap();
        let (own, data) = key();
        store.add_user_key(who, &own).await.unwrap();
        store.add_data_key(who, Messages, &data).await.unwrap();
        store.advance_read(sample.id, who, 10, at(10)).await.unwrap();
        store.mark_unread(sample.id, who, unread).await.unwrap();
        let of = Reservation { id: ReservationId::fresh(), conversation: ConversationId::fresh(), at: at(1) };
        assert_eq!(store.reserve(of, &[who], 100).await.unwrap(), []);
    }
    store.block(user, other, at(1), 10).await.unwrap();
    let before = store.traces(user).await.unwrap();
    let expected = Traces { user_keys: 1, data_keys: 1, sessions: 1, blocks: 1, reservations: 1, ..before };
    assert_eq!(before, expected);
    assert!(before.profiles > 0 && before.marks > 0, "{before:?}");
    let of_other = store.traces(other).await.unwrap();

    let mut conversations = store.conversations_ever(user).await.unwrap();
    conversations.sort_unstable();
    let mut expected = [sample.id, left_log.id];
    expected.sort_unstable();
    assert_eq!(conversations, expected);
    store.request_erasure(user, NOW).await.unwrap();
    for _ in 0..2 {
        store.erase_keys(user).await.unwrap();
        store.erase_sessions(user).await.unwrap();
        store.erase_marks(user, &conversations).await.unwrap();
        store.unblock(user, other).await.unwrap();
        store.erase_profile(user).await.unwrap();
        store.overwrite_erased().await.unwrap();
    }
    // What the log has made, it makes again.
    sample.persist(&*store).await;
    let after = store.traces(user).await.unwrap();
    assert!(after.is_none(), "{after:?}");
    assert_eq!(store.sessions_of(user, NOW).await.unwrap(), []);
    assert_eq!(store.read_mark(sample.id, user).await.unwrap(), 0);
    assert_eq!(store.traces(other).await.unwrap(), of_other, "others have what they had");
    assert!(store.traces(UserId::fresh()).await.unwrap().is_none());
}

pub async fn a_destroyed_key_is_never_made_again(store: Arc<dyn Store>) {
    let (had, never) = (UserId::fresh(), UserId::fresh());
    let (own, data) = key();
    store.add_user_key(had, &own).await.unwrap();
    store.add_data_key(had, Messages, &data).await.unwrap();
    for user in [had, never] {
        store.erase_keys(user).await.unwrap();
        assert_eq!(store.keys(&[user], Messages).await.unwrap(), [UserKeys::default()]);
        assert!(!store.add_user_key(user, &own).await.unwrap());
        assert!(!store.replace_user_key(user, &own, &own).await.unwrap());
        assert_eq!(store.keys(&[user], Messages).await.unwrap()[0].own, None);
    }
    let mut after = None;
    loop {
        let page = store.user_keys_after(after, 1_000).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        assert!(page.iter().all(|(user, _)| *user != had && *user != never));
        after = Some(*last);
    }
}

pub async fn an_erasure_is_open_until_it_is_done(store: Arc<dyn Store>) {
    let user = closed(&*store).await.id;
    let is_open = async || store.open_erasures(1_000).await.unwrap().iter().any(|open| open.user == user);
    assert!(is_open().await);
    assert!(store.record_erasure(user, b"", b"begun", false).await.unwrap());
    assert!(!store.record_erasure(user, b"", b"again", false).await.unwrap(), "it is further by now");
    assert!(is_open().await);
    store.request_erasure(user, LATER).await.unwrap();
    let begun = store.erasure(user).await.unwrap().unwrap();
    assert_eq!((begun.requested_at, &begun.record[..], begun.done), (NOW, &b"begun"[..], false));
    assert!(store.record_erasure(user, b"begun", b"all", true).await.unwrap());
    store.request_erasure(user, LATER).await.unwrap();
    assert!(!is_open().await);
    let done = store.erasure(user).await.unwrap().unwrap();
    assert_eq!((done.requested_at, &done.record[..], done.done), (NOW, &b"all"[..], true));
    assert_eq!(store.erasure(UserId::fresh()).await.unwrap(), None);
    assert!(!store.record_erasure(UserId::fresh(), b"", b"x", false).await.unwrap());
}

pub async fn of_many_records_at_once_one_is_kept(store: Arc<dyn Store>) {
    let user = closed(&*store).await.id;
    let records: Vec<Vec<u8>> = (1..8_u8).map(|n| vec![n]).collect();
    let kept = join_all(records.iter().map(|to| store.record_erasure(user, b"", to, false))).await;
    let kept: Vec<bool> = kept.into_iter().map(Result::unwrap).collect();
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 1);
    let at = kept.iter().position(|kept| *kept).unwrap();
    assert_eq!(store.erasure(user).await.unwrap().unwrap().record, records[at]);
}

pub async fn a_text_that_was_emptied_stays_empty(store: Arc<dyn Store>) {
    let (user, other) = (UserId::fresh(), UserId::fresh());
    let mut sample = SampleLog::of(&[user, other]);
    let first = sample.add(user, posted("one"));
    let kept = sample.add(other, posted("of the other"));
    let edit = sample.add(user, Kind::Edited { target: first, body: plain("two") });
    let last = sample.add(user, Kind::Edited { target: first, body: plain("three") });
    sample.persist(&*store).await;
    let mut expected = sample.log.clone();
    for entry in expected.iter_mut().filter(|entry| [first, edit, last].contains(&entry.seq)) {
        entry.event = crate::without_text(&entry.event).unwrap();
    }
    for _ in 0..2 {
        store.erase_texts(sample.id, &[first, edit, last, 1]).await.unwrap();
        // As a replay of the log does.
        sample.persist(&*store).await;
        let found = store.events_from(sample.id, 0, u64::MAX, 100).await.unwrap();
        assert_eq!(found, expected);
        let page = store.messages(sample.id, Window::Newest, last, 10).await.unwrap();
        let bodies: Vec<_> = page.iter().map(|message| (message.seq, message.body.clone())).collect();
        let empty = Body::Plain(String::new());
        assert_eq!(bodies, [(first, Some(empty)), (kept, Some(plain("of the other")))]);
    }
}
