use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
};

use super::{
    Arc,
    fixtures::{PASSWORD_HASH, added, unique_name},
};
use crate::{AddSession, NewSession, Renewal, Store, TokenHash};

// No test's clock is beyond NOW: in a shared store it would end the sessions of the others.
const EARLY: Timestamp = Timestamp(1_763_000_000_000);
const NOW: Timestamp = Timestamp(1_764_000_000_000);
const LATER: Timestamp = Timestamp(1_764_000_100_000);

fn token() -> TokenHash {
    let (a, b) = (UserId::fresh(), UserId::fresh());
    let mut token = [0; 32];
    token[..16].copy_from_slice(a.as_bytes());
    token[16..].copy_from_slice(b.as_bytes());
    token
}

async fn opened(store: &dyn Store, user: UserId) -> (SessionId, TokenHash) {
    opened_until(store, user, LATER).await
}

async fn opened_until(store: &dyn Store, user: UserId, expires_at: Timestamp) -> (SessionId, TokenHash) {
    let opened = log_in(user, PASSWORD_HASH, expires_at);
    assert_eq!(store.add_session(&opened).await.unwrap(), AddSession::Added);
    (opened.session, opened.token)
}

fn log_in(user: UserId, password_hash: &str, expires_at: Timestamp) -> NewSession {
    let password_hash = password_hash.to_owned();
    NewSession { session: SessionId::fresh(), user, password_hash, token: token(), expires_at }
}

async fn registered(store: &dyn Store) -> UserId {
    added(store, &unique_name()).await.id
}

pub async fn a_session_is_renewed_from_token_to_token(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, mut current) = opened(&*store, user).await;
    for _ in 0..5 {
        let next = token();
        let renewal = store.renew_session(current, next, NOW, LATER).await.unwrap();
        assert_eq!(renewal, Renewal::Renewed { user, session });
        current = next;
    }
    assert_eq!(store.renew_session(token(), token(), NOW, LATER).await.unwrap(), Renewal::Unknown);
    assert_eq!(store.sessions_of(user, NOW).await.unwrap(), [session]);
}

pub async fn a_token_used_again_ends_its_session(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, first) = opened(&*store, user).await;
    let (other, other_token) = opened(&*store, user).await;
    let (second, third) = (token(), token());
    store.renew_session(first, second, NOW, LATER).await.unwrap();
    store.renew_session(second, third, NOW, LATER).await.unwrap();
    let stolen = store.renew_session(first, token(), NOW, LATER).await.unwrap();
    assert_eq!(stolen, Renewal::Reused { user, session });
    for dead in [first, second, third] {
        assert_eq!(store.renew_session(dead, token(), NOW, LATER).await.unwrap(), Renewal::Unknown);
    }
    assert_eq!(store.sessions_of(user, NOW).await.unwrap(), [other]);
    let renewal = store.renew_session(other_token, token(), NOW, LATER).await.unwrap();
    assert_eq!(renewal, Renewal::Renewed { user, session: other });
}

pub async fn of_many_renewals_with_one_token_at_once_one_succeeds(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, first) = opened(&*store, user).await;
    let attempts: Vec<_> = (0..10)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.renew_session(first, token(), NOW, LATER).await.unwrap() })
        })
        .collect();
    let mut renewals = Vec::new();
    for attempt in attempts {
        renewals.push(attempt.await.unwrap());
    }
    let count = |of| renewals.iter().filter(|renewal| **renewal == of).count();
    assert_eq!(count(Renewal::Renewed { user, session }), 1);
    assert!(count(Renewal::Reused { user, session }) >= 1);
    assert!(store.sessions_of(user, NOW).await.unwrap().is_empty());
}

pub async fn a_session_ends_when_it_is_ended_or_expires(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, current) = opened(&*store, user).await;
    store.end_session(session).await.unwrap();
    store.end_session(session).await.unwrap();
    assert_eq!(store.renew_session(current, token(), NOW, LATER).await.unwrap(), Renewal::Unknown);

    // The moment it expires it has expired.
    let (_, current) = opened_until(&*store, user, NOW).await;
    assert_eq!(store.renew_session(current, token(), NOW, LATER).await.unwrap(), Renewal::Unknown);

    // A renewal moves the end.
    let (session, current) = opened_until(&*store, user, NOW).await;
    let next = token();
    store.renew_session(current, next, EARLY, LATER).await.unwrap();
    let renewal = store.renew_session(next, token(), NOW, LATER).await.unwrap();
    assert_eq!(renewal, Renewal::Renewed { user, session });
}

pub async fn sessions_of_a_user_are_those_not_ended_and_not_expired(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let mut open = vec![opened(&*store, user).await.0, opened(&*store, user).await.0];
    let ended = opened(&*store, user).await.0;
    opened_until(&*store, user, NOW).await;
    opened(&*store, registered(&*store).await).await;
    store.end_session(ended).await.unwrap();
    let mut found = store.sessions_of(user, NOW).await.unwrap();
    open.sort();
    found.sort();
    assert_eq!(found, open);
    assert!(store.sessions_of(user, LATER).await.unwrap().is_empty());
}

pub async fn a_log_in_with_a_password_changed_since_opens_no_session(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let late = log_in(user, PASSWORD_HASH, LATER);
    store.set_password_hash(user, "$argon2id$next").await.unwrap();
    assert_eq!(store.add_session(&late).await.unwrap(), AddSession::PasswordChanged);
    assert_eq!(store.renew_session(late.token, token(), NOW, LATER).await.unwrap(), Renewal::Unknown);
    assert!(store.sessions_of(user, NOW).await.unwrap().is_empty());

    let with_next = log_in(user, "$argon2id$next", LATER);
    assert_eq!(store.add_session(&with_next).await.unwrap(), AddSession::Added);
    assert_eq!(store.sessions_of(user, NOW).await.unwrap(), [with_next.session]);
}

pub async fn no_log_in_that_races_a_password_change_survives_it(store: Arc<dyn Store>) {
    for _ in 0..20 {
        let user = registered(&*store).await;
        let racing = Arc::clone(&store);
        let log_ins = tokio::spawn(async move {
            for _ in 0..5 {
                racing.add_session(&log_in(user, PASSWORD_HASH, LATER)).await.unwrap();
            }
        });
        store.set_password_hash(user, "$argon2id$next").await.unwrap();
        for session in store.sessions_of(user, NOW).await.unwrap() {
            store.end_session(session).await.unwrap();
        }
        log_ins.await.unwrap();
        assert!(store.sessions_of(user, NOW).await.unwrap().is_empty());
    }
}
