use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
    limits,
};

use super::{
    Arc,
    fixtures::{PASSWORD_HASH, added, unique_name},
};
use crate::{AddSession, Exchange, NewSession, Renewal, Store, TokenHash};

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
    NewSession { session: SessionId::fresh(), user, password_hash, token: token(), now: NOW, expires_at }
}

/// Without grace unless the test gives one: then any second use is theft.
fn exchange(token: TokenHash, next: TokenHash) -> Exchange {
    Exchange { token, next, seed: self::token(), now: NOW, expires_at: LATER, grace: Duration::ZERO }
}

/// Longer than any test.
fn with_grace(token: TokenHash, next: TokenHash) -> Exchange {
    Exchange { grace: Duration::from_mins(10), ..exchange(token, next) }
}

async fn renew(store: &dyn Store, exchange: &Exchange) -> Renewal {
    store.renew_session(exchange).await.unwrap()
}

/// With a token that nothing follows.
async fn present(store: &dyn Store, presented: TokenHash) -> Renewal {
    renew(store, &exchange(presented, token())).await
}

async fn registered(store: &dyn Store) -> UserId {
    added(store, &unique_name()).await.id
}

pub async fn a_session_is_renewed_from_token_to_token(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, mut current) = opened(&*store, user).await;
    for step in [exchange, with_grace, exchange, with_grace] {
        let next = step(current, token());
        let renewal = renew(&*store, &next).await;
        assert_eq!(renewal, Renewal::Renewed { user, session, seeds: vec![next.seed] });
        current = next.next;
    }
    assert_eq!(present(&*store, token()).await, Renewal::Unknown);
    assert_eq!(store.sessions_of(user, NOW).await.unwrap(), [session]);
}

pub async fn a_token_used_again_ends_its_session(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, first) = opened(&*store, user).await;
    let (other, other_token) = opened(&*store, user).await;
    let (second, third) = (token(), token());
    renew(&*store, &exchange(first, second)).await;
    renew(&*store, &exchange(second, third)).await;
    assert_eq!(present(&*store, first).await, Renewal::Reused { user, session });
    for dead in [first, second, third] {
        assert_eq!(present(&*store, dead).await, Renewal::Unknown);
    }
    assert_eq!(store.sessions_of(user, NOW).await.unwrap(), [other]);
    let next = exchange(other_token, token());
    let renewal = renew(&*store, &next).await;
    assert_eq!(renewal, Renewal::Renewed { user, session: other, seeds: vec![next.seed] });
}

async fn at_once(store: &Arc<dyn Store>, exchanges: Vec<Exchange>) -> Vec<Renewal> {
    let attempts: Vec<_> = exchanges
        .into_iter()
        .map(|exchange| {
            let store = Arc::clone(store);
            tokio::spawn(async move { renew(&*store, &exchange).await })
        })
        .collect();
    let mut renewals = Vec::new();
    for attempt in attempts {
        renewals.push(attempt.await.unwrap());
    }
    renewals
}

pub async fn without_grace_one_of_many_renewals_at_once_succeeds(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, first) = opened(&*store, user).await;
    let renewals = at_once(&store, (0..10).map(|_| exchange(first, token())).collect()).await;
    let renewed = |renewal: &&Renewal| matches!(renewal, Renewal::Renewed { .. });
    assert_eq!(renewals.iter().filter(renewed).count(), 1);
    assert!(renewals.contains(&Renewal::Reused { user, session }));
    assert!(store.sessions_of(user, NOW).await.unwrap().is_empty());
}

pub async fn with_grace_all_renewals_at_once_have_one_successor(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, first) = opened(&*store, user).await;
    let exchanges: Vec<_> = (0..10).map(|_| with_grace(first, token())).collect();
    let renewals = at_once(&store, exchanges.clone()).await;
    let Renewal::Renewed { seeds, .. } = &renewals[0] else { panic!("{renewals:?}") };
    let winner = exchanges.iter().find(|exchange| [exchange.seed] == **seeds).unwrap();
    let same = Renewal::Renewed { user, session, seeds: vec![winner.seed] };
    assert!(renewals.iter().all(|renewal| *renewal == same), "{renewals:?}");
    // The session goes on with the one successor, and no other.
    let next = with_grace(winner.next, token());
    let renewal = renew(&*store, &next).await;
    assert_eq!(renewal, Renewal::Renewed { user, session, seeds: vec![next.seed] });
    for loser in exchanges.iter().filter(|exchange| exchange.seed != winner.seed).take(1) {
        let refused = present(&*store, loser.next).await;
        assert!(matches!(refused, Renewal::Unknown | Renewal::Reused { .. }), "{refused:?}");
    }
}

pub async fn a_token_within_its_grace_leads_to_the_newest(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, first) = opened(&*store, user).await;
    let second = with_grace(first, token());
    let third = with_grace(second.next, token());
    renew(&*store, &second).await;
    renew(&*store, &third).await;
    for (presented, seeds) in [(first, vec![second.seed, third.seed]), (second.next, vec![third.seed])] {
        let renewal = renew(&*store, &with_grace(presented, token())).await;
        assert_eq!(renewal, Renewal::Renewed { user, session, seeds });
    }
    // Another session's tokens are not among them.
    let (other, other_token) = opened(&*store, user).await;
    store.end_session(other).await.unwrap();
    assert_eq!(renew(&*store, &with_grace(other_token, token())).await, Renewal::Unknown);
    store.end_session(session).await.unwrap();
    assert_eq!(renew(&*store, &with_grace(first, token())).await, Renewal::Unknown);
}

pub async fn a_token_used_again_after_its_grace_ends_its_session(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, first) = opened(&*store, user).await;
    let begun = Instant::now();
    // As time goes on: what is presented again does not prolong it.
    let again = || Exchange {
        now: Timestamp(NOW.0 + i64::try_from(begun.elapsed().as_millis()).unwrap()),
        grace: Duration::from_secs(2),
        ..exchange(first, token())
    };
    let exchanged = again();
    renew(&*store, &exchanged).await;
    let mut renewals = Vec::new();
    while begun.elapsed() < Duration::from_secs(20) {
        renewals.push(renew(&*store, &again()).await);
        if renewals.last() == Some(&Renewal::Reused { user, session }) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(renewals.pop(), Some(Renewal::Reused { user, session }));
    let same = Renewal::Renewed { user, session, seeds: vec![exchanged.seed] };
    assert!(!renewals.is_empty() && renewals.iter().all(|renewal| *renewal == same), "{renewals:?}");
    assert_eq!(present(&*store, exchanged.next).await, Renewal::Unknown);
}

pub async fn exchanges_beyond_those_kept_are_theft(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, first) = opened(&*store, user).await;
    let mut current = first;
    for _ in 0..=limits::EXCHANGES_KEPT {
        let next = with_grace(current, token());
        renew(&*store, &next).await;
        current = next.next;
    }
    assert_eq!(renew(&*store, &with_grace(first, token())).await, Renewal::Reused { user, session });
}

pub async fn a_session_ends_when_it_is_ended_or_expires(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, current) = opened(&*store, user).await;
    store.end_session(session).await.unwrap();
    store.end_session(session).await.unwrap();
    assert_eq!(present(&*store, current).await, Renewal::Unknown);

    // The moment it expires it has expired.
    let (_, current) = opened_until(&*store, user, NOW).await;
    assert_eq!(present(&*store, current).await, Renewal::Unknown);

    // A renewal moves the end.
    let (session, current) = opened_until(&*store, user, NOW).await;
    let early = Exchange { now: EARLY, ..exchange(current, token()) };
    renew(&*store, &early).await;
    let next = exchange(early.next, token());
    let renewal = renew(&*store, &next).await;
    assert_eq!(renewal, Renewal::Renewed { user, session, seeds: vec![next.seed] });
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
    store.set_password_hash(user, "$argon2id$next", None).await.unwrap();
    assert_eq!(store.add_session(&late).await.unwrap(), AddSession::PasswordChanged);
    assert_eq!(present(&*store, late.token).await, Renewal::Unknown);
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
        store.set_password_hash(user, "$argon2id$next", None).await.unwrap();
        for session in store.sessions_of(user, NOW).await.unwrap() {
            store.end_session(session).await.unwrap();
        }
        log_ins.await.unwrap();
        assert!(store.sessions_of(user, NOW).await.unwrap().is_empty());
    }
}

pub async fn a_new_password_alone_leaves_only_the_session_that_set_it(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (here, here_token) = opened(&*store, user).await;
    let (there, there_token) = opened(&*store, user).await;
    // And then the caller dies: it ends no session.
    store.set_password_hash(user, "$argon2id$next", Some(here)).await.unwrap();
    let dead = Renewal::PasswordChanged { user, session: there };
    assert_eq!(present(&*store, there_token).await, dead);
    assert_eq!(present(&*store, there_token).await, Renewal::Unknown);
    let next = exchange(here_token, token());
    let goes_on = |session, next: &Exchange| Renewal::Renewed { user, session, seeds: vec![next.seed] };
    assert_eq!(renew(&*store, &next).await, goes_on(here, &next));

    // A session of the new password is alive, also after another change by itself.
    let with_next = log_in(user, "$argon2id$next", LATER);
    assert_eq!(store.add_session(&with_next).await.unwrap(), AddSession::Added);
    let renewal = exchange(with_next.token, token());
    assert_eq!(renew(&*store, &renewal).await, goes_on(with_next.session, &renewal));
    store.set_password_hash(user, "$argon2id$third", Some(with_next.session)).await.unwrap();
    let last = exchange(renewal.next, token());
    assert_eq!(renew(&*store, &last).await, goes_on(with_next.session, &last));
    // Who changed it before has no part in the third.
    let dead = Renewal::PasswordChanged { user, session: here };
    assert_eq!(present(&*store, next.next).await, dead);
}

pub async fn sessions_left_by_a_new_password_are_still_listed(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (session, _) = opened(&*store, user).await;
    store.set_password_hash(user, "$argon2id$next", None).await.unwrap();
    assert_eq!(store.sessions_of(user, NOW).await.unwrap(), [session]);
}

async fn end_excess(store: &dyn Store, user: UserId, opened: SessionId, most: usize) -> Vec<SessionId> {
    store.end_excess_sessions(user, opened, most).await.unwrap()
}

/// The more minutes, the later it was opened or renewed.
fn after(minutes: i64) -> Timestamp {
    Timestamp(LATER.0 + minutes * 60_000)
}

pub async fn the_session_renewed_least_recently_is_ended_for_another(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let (first, token_of_first) = opened_until(&*store, user, after(1)).await;
    let (second, token_of_second) = opened_until(&*store, user, after(2)).await;
    let (third, _) = opened_until(&*store, user, after(3)).await;
    let other = registered(&*store).await;
    let (of_other, _) = opened_until(&*store, other, after(0)).await;
    assert_eq!(end_excess(&*store, user, third, 3).await, []);
    renew(&*store, &Exchange { expires_at: after(4), ..exchange(token_of_first, token()) }).await;
    let (fourth, _) = opened_until(&*store, user, after(5)).await;
    assert_eq!(end_excess(&*store, user, fourth, 3).await, [second]);
    assert_eq!(end_excess(&*store, user, fourth, 3).await, [], "again, after a lost response");
    assert_eq!(present(&*store, token_of_second).await, Renewal::Unknown);
    let mut open = store.sessions_of(user, NOW).await.unwrap();
    let mut expected = [first, third, fourth];
    open.sort();
    expected.sort();
    assert_eq!(open, expected);
    // One that expires before all others, because sessions last less long by now, is not ended by its own log-in.
    let (short, _) = opened_until(&*store, user, after(0)).await;
    assert_eq!(end_excess(&*store, user, short, 1).await, [third, first, fourth]);
    assert_eq!(store.sessions_of(user, NOW).await.unwrap(), [short]);
    assert_eq!(store.sessions_of(other, NOW).await.unwrap(), [of_other]);
}

pub async fn many_log_ins_at_once_leave_as_many_sessions_as_allowed(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let calls = (0..12).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let (session, _) = opened_until(&*store, user, Timestamp(LATER.0 + n)).await;
            (session, end_excess(&*store, user, session, 4).await)
        })
    });
    let calls = join_all(calls).await.into_iter().map(Result::unwrap);
    let (opened, ended): (Vec<_>, Vec<_>) = calls.unzip();
    let mut open = store.sessions_of(user, NOW).await.unwrap();
    assert_eq!(open.len(), 4);
    let ended: HashSet<SessionId> = ended.into_iter().flatten().collect();
    open.retain(|session| ended.contains(session) || !opened.contains(session));
    assert_eq!((ended.len(), open), (8, Vec::new()), "who is ended is reported");
}

pub async fn sessions_far_beyond_the_bound_are_ended_bit_by_bit(store: Arc<dyn Store>) {
    let user = registered(&*store).await;
    let mut opened = Vec::new();
    for n in 0..=limits::SESSIONS_ENDED_AT_ONCE + 2 {
        opened.push(opened_until(&*store, user, after(i64::try_from(n).unwrap())).await.0);
    }
    let newest = *opened.last().unwrap();
    assert_eq!(end_excess(&*store, user, newest, 1).await, opened[..limits::SESSIONS_ENDED_AT_ONCE]);
    assert_eq!(end_excess(&*store, user, newest, 1).await.len(), 2);
    assert_eq!(store.sessions_of(user, NOW).await.unwrap(), [newest]);
}
