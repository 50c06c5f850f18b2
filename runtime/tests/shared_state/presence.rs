use std::collections::HashMap;

use futures_util::future::join_all;
use natter_schemas::id::UserId;
use natter_testkit::until_some;
use tokio::time::Instant;

use crate::fixtures::{LONG, MANY, State, TTL, device, devices, of, swept, users};

both!(
    only_the_first_heartbeat_of_a_user_announces_them,
    the_last_device_to_leave_takes_the_user_offline,
    a_device_that_dies_takes_the_user_offline_after_one_ttl_only_if_it_was_the_last,
    a_dead_device_does_not_outlive_the_one_that_leaves,
    a_user_who_sends_heartbeats_is_not_swept,
    four_sweepers_announce_each_user_exactly_once,
    a_sweep_takes_no_more_users_than_its_limit,
    a_heartbeat_after_the_sweep_brings_the_user_back_with_a_higher_version,
    leaving_twice_or_unknown_changes_nothing,
    presence_is_returned_in_the_order_asked_and_unknown_users_are_offline,
    two_thousand_devices_send_heartbeats_in_one_call,
);

async fn only_the_first_heartbeat_of_a_user_announces_them(state: State) {
    let user = UserId::fresh();
    let changed = state.heartbeat(&[device(user, "phone"), device(user, "laptop")], LONG).await.unwrap();
    let [change] = changed[..] else { panic!("announced {} times", changed.len()) };
    assert!(change.user == user && change.online && change.version > 0);
    assert_eq!(state.heartbeat(&[device(user, "phone")], LONG).await, Ok(vec![]));
    assert_eq!(state.heartbeat(&[device(user, "tablet")], LONG).await, Ok(vec![]));
    let now = of(&state, user).await;
    assert!(now.online && now.version == change.version && now.last_seen >= Some(change.last_seen));
}

async fn the_last_device_to_leave_takes_the_user_offline(state: State) {
    let user = UserId::fresh();
    let (phone, laptop) = (device(user, "phone"), device(user, "laptop"));
    let changed = state.heartbeat(&[phone.clone(), laptop.clone()], LONG).await.unwrap();
    assert_eq!(state.leave(&phone).await, Ok(None));
    assert!(of(&state, user).await.online);
    let gone = state.leave(&laptop).await.unwrap().expect("it was the last");
    assert!(gone.user == user && !gone.online && gone.version > changed[0].version);
    assert!(gone.last_seen >= changed[0].last_seen);
    let now = of(&state, user).await;
    assert_eq!((now.online, now.last_seen, now.version), (false, Some(gone.last_seen), gone.version));
    assert_eq!(state.sweep(MANY).await, Ok(vec![]));
}

async fn a_device_that_dies_takes_the_user_offline_after_one_ttl_only_if_it_was_the_last(state: State) {
    let (alone, other) = (UserId::fresh(), UserId::fresh());
    let begun = Instant::now();
    let changed = state.heartbeat(&[device(alone, "phone"), device(other, "phone")], TTL).await.unwrap();
    state.heartbeat(&[device(other, "laptop")], LONG).await.unwrap();
    // The TTL of the last heartbeat decides how long a sweep waits after a pause.
    state.heartbeat(&[device(UserId::fresh(), "phone")], TTL).await.unwrap();
    let gone = until_some("the lonely device to expire", async || {
        let gone = state.sweep(MANY).await.unwrap();
        gone.into_iter().find(|change| change.user == alone)
    })
    .await;
    assert!(begun.elapsed() >= TTL && !gone.online && gone.version > changed[0].version);
    assert_eq!(gone.last_seen, changed[0].last_seen);
    assert!(of(&state, other).await.online);
}

async fn a_dead_device_does_not_outlive_the_one_that_leaves(state: State) {
    let user = UserId::fresh();
    let (dead, alive) = (device(user, "phone"), device(user, "laptop"));
    state.heartbeat(std::slice::from_ref(&alive), LONG).await.unwrap();
    state.heartbeat(&[dead], TTL).await.unwrap();
    // Either at once or with the sweep that finds the other one expired.
    assert_eq!(state.leave(&alive).await, Ok(None));
    let gone = swept(&state).await;
    assert!(gone.len() == 1 && gone[0].user == user && !of(&state, user).await.online);
}

async fn a_user_who_sends_heartbeats_is_not_swept(state: State) {
    let user = UserId::fresh();
    // Two seconds: a busy machine may delay a heartbeat of every 10 ms, but hardly by so much.
    let ttl = TTL * 4;
    let begun = Instant::now();
    assert_eq!(state.heartbeat(&devices(&[user]), ttl).await.unwrap().len(), 1);
    until_some("two lives to pass", async || {
        assert_eq!(state.heartbeat(&devices(&[user]), ttl).await, Ok(vec![]));
        assert_eq!(state.sweep(MANY).await, Ok(vec![]));
        (begun.elapsed() > ttl * 2).then_some(())
    })
    .await;
}

async fn four_sweepers_announce_each_user_exactly_once(state: State) {
    let users_online = users(200);
    assert_eq!(state.heartbeat(&devices(&users_online), TTL).await.unwrap().len(), users_online.len());
    let mut reported: HashMap<UserId, usize> = HashMap::new();
    until_some("all users to go offline", async || {
        for gone in join_all((0..4).map(|_| state.sweep(7))).await {
            for change in gone.unwrap() {
                *reported.entry(change.user).or_default() += 1;
            }
        }
        (reported.len() == users_online.len()).then_some(())
    })
    .await;
    assert!(reported.values().all(|times| *times == 1));
    assert_eq!(state.sweep(MANY).await, Ok(vec![]));
}

async fn a_sweep_takes_no_more_users_than_its_limit(state: State) {
    state.heartbeat(&devices(&users(5)), TTL).await.unwrap();
    let mut sizes = vec![];
    until_some("five to go offline", async || {
        let gone = state.sweep(2).await.unwrap().len();
        sizes.extend((gone > 0).then_some(gone));
        (sizes.iter().sum::<usize>() == 5).then_some(())
    })
    .await;
    assert!(sizes.iter().all(|size| *size <= 2));
}

async fn a_heartbeat_after_the_sweep_brings_the_user_back_with_a_higher_version(state: State) {
    let user = UserId::fresh();
    state.heartbeat(&devices(&[user]), TTL).await.unwrap();
    let gone = swept(&state).await;
    let back = state.heartbeat(&devices(&[user]), TTL).await.unwrap();
    assert!(back.len() == 1 && back[0].online && back[0].version > gone[0].version);
}

async fn leaving_twice_or_unknown_changes_nothing(state: State) {
    let user = UserId::fresh();
    let phone = device(user, "phone");
    assert_eq!(state.leave(&phone).await, Ok(None));
    state.heartbeat(std::slice::from_ref(&phone), LONG).await.unwrap();
    assert_eq!(state.leave(&device(user, "laptop")).await, Ok(None));
    assert!(of(&state, user).await.online);
    assert!(state.leave(&phone).await.unwrap().is_some());
    assert_eq!(state.leave(&phone).await, Ok(None));
}

async fn presence_is_returned_in_the_order_asked_and_unknown_users_are_offline(state: State) {
    let users_online = users(1_100);
    state.heartbeat(&devices(&users_online[..3]), LONG).await.unwrap();
    let asked: Vec<UserId> = users_online.iter().rev().copied().collect();
    let answer = state.presence(&asked).await.unwrap();
    assert!(answer.iter().map(|presence| presence.user).eq(asked.iter().copied()));
    assert_eq!(answer.iter().filter(|presence| presence.online).count(), 3);
    let known = &answer[1_097..];
    assert!(known.iter().all(|presence| presence.online && presence.last_seen.is_some()));
    assert!(!answer[0].online && answer[0].last_seen.is_none() && answer[0].version < known[0].version);
    assert_eq!(state.presence(&[]).await, Ok(vec![]));
}

async fn two_thousand_devices_send_heartbeats_in_one_call(state: State) {
    let users_online = users(1_000);
    let mut heartbeats = devices(&users_online);
    heartbeats.extend(users_online.iter().map(|user| device(*user, "laptop")));
    let changed = state.heartbeat(&heartbeats, LONG).await.unwrap();
    assert_eq!(changed.len(), users_online.len());
    assert_eq!(state.heartbeat(&heartbeats, LONG).await, Ok(vec![]));
    assert_eq!(state.heartbeat(&[], LONG).await, Ok(vec![]));
}
