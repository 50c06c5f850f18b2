use std::{sync::Arc, time::Duration};

use natter_runtime::shared_state::{ConnectError, KEY_TTL, Redis, SharedState, Unavailable};
use natter_schemas::id::UserId;
use natter_testkit::{Redis as RedisServer, until_some};
use tokio::time::Instant;

use crate::fixtures::{MANY, State, TTL, connected, devices, of, swept, users};

/// Two seconds: long against a restart, which takes about 0.1 s.
const LIFE: Duration = TTL.saturating_mul(4);

struct Outage {
    server: RedisServer,
    state: State,
    /// Online, known to viewers by `version`, and beating on after the fault.
    stays: UserId,
    /// Online until the fault, dead after it.
    dies: UserId,
    version: u64,
}

async fn two_users_online(server: RedisServer) -> Outage {
    let state: State = Arc::new(connected(&server).await);
    let users_online = users(2);
    let changed = state.heartbeat(&devices(&users_online), LIFE).await.unwrap();
    assert_eq!(state.sweep(MANY).await, Ok(vec![]));
    let version = changed.iter().map(|change| change.version).max().unwrap();
    Outage { server, state, stays: users_online[0], dies: users_online[1], version }
}

impl Outage {
    /// After a fault at `fault`, with sweeps and one user's heartbeats: the dead user is offline soon after a TTL,
    /// no one else ever, and viewers who compare versions accept it.
    async fn settles(&self, fault: Instant, also: &[UserId]) {
        let (mut quiet, mut back) = (true, vec![]);
        until_some("the dead to be shown offline", async || {
            // Down for a moment after a restart, until the connection is back.
            let alive = [&[self.stays], also].concat();
            back.extend(self.state.heartbeat(&devices(&alive), LIFE).await.ok()?);
            let gone = self.state.sweep(MANY).await.ok()?;
            assert!(gone.iter().all(|change| change.user == self.dies), "a live user was taken offline");
            quiet &= gone.is_empty() || fault.elapsed() >= LIFE;
            let dead = of(&self.state, self.dies).await;
            (!dead.online && dead.version > self.version).then_some(())
        })
        .await;
        assert!(quiet, "offline was not held back for one life");
        assert!(fault.elapsed() < LIFE * 3, "a ghost for {:?}", fault.elapsed());
        assert!(of(&self.state, self.stays).await.online);
        assert!(back.iter().all(|change| change.user != self.dies && change.version > self.version));
    }
}

#[tokio::test]
async fn a_restart_that_forgets_everything_leaves_presence_correct() {
    let mut fixtures = two_users_online(RedisServer::start().await).await;
    fixtures.server.restart().await;
    fixtures.settles(Instant::now(), &[]).await;
}

#[tokio::test]
async fn a_restart_with_old_deadlines_leaves_presence_correct() {
    let mut fixtures = two_users_online(RedisServer::start_persistent().await).await;
    fixtures.server.kill();
    let down = Instant::now();
    until_some("the deadlines to pass", async || (down.elapsed() > LIFE).then_some(())).await;
    fixtures.server.restart().await;
    let fault = Instant::now();
    assert!(of_when_back(&fixtures).await, "both were online before, and are until a life has passed");
    fixtures.settles(fault, &[]).await;
}

async fn of_when_back(fixtures: &Outage) -> bool {
    let both = [fixtures.stays, fixtures.dies];
    let answer =
        until_some("the connection to come back", async || fixtures.state.presence(&both).await.ok()).await;
    answer.iter().all(|presence| presence.online)
}

#[tokio::test]
async fn a_flush_takes_no_live_user_offline_and_leaves_no_ghosts() {
    let fixtures = two_users_online(RedisServer::start().await).await;
    fixtures.server.run::<()>(&["FLUSHALL"]).await.unwrap();
    let fault = Instant::now();
    let unknown = of(&fixtures.state, fixtures.dies).await;
    assert!(!unknown.online && unknown.version == 0, "nothing is known yet: viewers keep what they know");
    fixtures.settles(fault, &[]).await;
}

#[tokio::test]
async fn a_flush_and_a_clock_set_back_leave_presence_correct() {
    let fixtures = two_users_online(RedisServer::start().await).await;
    // As of a server whose clock was a minute ahead until now.
    let ahead = (fixtures.version + 60_000).to_string();
    fixtures.server.run::<()>(&["HSET", "natter:presence", "version", &ahead]).await.unwrap();
    let later = users(1);
    let version = fixtures.state.heartbeat(&devices(&later), LIFE).await.unwrap()[0].version;
    assert!(version > fixtures.version + 60_000);
    fixtures.server.run::<()>(&["FLUSHALL"]).await.unwrap();
    let back = fixtures.state.heartbeat(&devices(&later), LIFE).await.unwrap();
    assert!(back[0].version > version, "viewers believe it only if it is higher");
    fixtures.settles(Instant::now(), &later).await;
}

#[tokio::test]
async fn a_version_seen_elsewhere_is_passed_by_the_next_one() {
    let server = RedisServer::start().await;
    let state = connected(&server).await;
    let known = u64::MAX >> 12;
    state.observe(known);
    let changed = state.heartbeat(&devices(&users(1)), TTL).await.unwrap();
    assert_eq!(changed[0].version, known + 1);
}

#[tokio::test]
async fn a_clock_set_back_keeps_no_ghost_online() {
    let server = RedisServer::start().await;
    let state: State = Arc::new(connected(&server).await);
    server.run::<()>(&["HSET", "natter:presence", "shift", "60000"]).await.unwrap();
    let user = users(1);
    state.heartbeat(&devices(&user), TTL).await.unwrap();
    assert_eq!(state.sweep(MANY).await, Ok(vec![]));
    // From here on the server's clock is a minute before what it was.
    server.run::<()>(&["HSET", "natter:presence", "shift", "0"]).await.unwrap();
    let back = Instant::now();
    let gone = swept(&state).await;
    assert!(gone.len() == 1 && !gone[0].online && gone[0].user == user[0], "{gone:?}");
    assert!(back.elapsed() < 3 * TTL, "a ghost for {:?}", back.elapsed());
}

#[tokio::test]
async fn a_standstill_longer_than_a_life_takes_no_live_user_offline() {
    let fixtures = two_users_online(RedisServer::start().await).await;
    fixtures.server.pause();
    let paused = Instant::now();
    until_some("the deadlines to pass", async || (paused.elapsed() > LIFE).then_some(())).await;
    // The grace period begins with the first sweep, so the clock of the test must not begin after it.
    let fault = Instant::now();
    fixtures.server.resume();
    // The first to arrive is a sweep: it must not believe the deadlines.
    assert_eq!(fixtures.state.sweep(MANY).await, Ok(vec![]));
    fixtures.settles(fault, &[]).await;
}

#[tokio::test]
async fn a_redis_that_hangs_is_unavailable_soon_and_recovers_by_itself() {
    let server = RedisServer::start().await;
    let state = Redis::connect(&server.url()).await.unwrap();
    until_some("the first answer", async || state.ready().await.ok()).await;
    server.pause();
    let asked = Instant::now();
    assert_eq!(state.ready().await, Err(Unavailable));
    assert!(asked.elapsed() < Duration::from_millis(300), "{:?}", asked.elapsed());
    // More calls than wait in any queue: each fails soon, none hangs.
    let asked = Instant::now();
    let calls = (0..5_000).map(|_| state.presence(&[]));
    assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
    let heartbeats = devices(&users(1_000));
    let calls = (0..100).map(|_| state.heartbeat(&heartbeats, TTL));
    assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_err));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    server.resume();
    until_some("redis to answer again", async || state.ready().await.ok()).await;
}

#[tokio::test]
async fn while_redis_hangs_one_caller_waits_and_others_do_not() {
    let server = RedisServer::start().await;
    let state = Redis::connect(&server.url()).await.unwrap();
    until_some("the first answer", async || state.ready().await.ok()).await;
    server.pause();
    assert_eq!(state.ready().await, Err(Unavailable));
    // As requests do, one after the other: a second of them, each with a limit to ask for.
    let begun = Instant::now();
    let (mut waited, mut calls) = (Duration::ZERO, 0);
    while begun.elapsed() < Duration::from_secs(1) {
        let asked = Instant::now();
        assert!(state.presence(&[UserId::fresh()]).await.is_err());
        waited += asked.elapsed().saturating_sub(Duration::from_millis(50));
        calls += 1;
        tokio::task::yield_now().await;
    }
    assert!(calls > 1_000, "{calls} calls in a second");
    assert!(waited < Duration::from_millis(500), "{waited:?} of a second spent waiting");
    server.resume();
    until_some("redis to answer again", async || state.ready().await.ok()).await;
    assert!(state.presence(&[UserId::fresh()]).await.is_ok(), "every caller is let through again");
}

#[tokio::test]
async fn an_error_that_redis_answers_keeps_no_other_call_away() {
    let server = RedisServer::start().await;
    let state = connected(&server).await;
    let user = UserId::fresh();
    server.run::<()>(&["RPUSH", &format!("natter:key:{user}:k"), "no record"]).await.unwrap();
    assert_eq!(state.begin(user, "k", [1; 32]).await, Err(Unavailable));
    assert!(state.ready().await.is_ok());
}

#[tokio::test]
async fn a_redis_that_is_gone_is_unavailable_soon_and_found_again_when_it_returns() {
    let mut server = RedisServer::start().await;
    let state = Redis::connect(&server.url()).await.unwrap();
    server.kill();
    for _ in 0..5 {
        let asked = Instant::now();
        assert_eq!(state.ready().await, Err(Unavailable));
        assert!(asked.elapsed() < Duration::from_millis(300), "{:?}", asked.elapsed());
    }
    assert!(!state.remembers_every_key().await);
    server.restart().await;
    until_some("redis to answer again", async || state.ready().await.ok()).await;
}

#[tokio::test]
async fn keys_are_remembered_for_a_day_and_not_beyond_a_restart() {
    let mut server = RedisServer::start_persistent().await;
    let state = connected(&server).await;
    let born: u128 = server.run(&["HGET", "natter:born", "at"]).await.unwrap();
    let yesterday = (born - KEY_TTL.as_millis() - 1).to_string();
    server.run::<()>(&["HSET", "natter:born", "at", &yesterday]).await.unwrap();
    assert!(state.remembers_every_key().await);
    server.restart().await;
    until_some("redis to answer again", async || state.ready().await.ok()).await;
    assert!(!state.remembers_every_key().await, "what was written last may be missing");
}

#[tokio::test]
async fn everything_but_the_four_fixed_keys_has_an_end() {
    let server = RedisServer::start().await;
    let state: State = Arc::new(connected(&server).await);
    let user = UserId::fresh();
    state.begin(user, "k", [1; 32]).await.unwrap();
    let attempt: i64 = server.run(&["TTL", &format!("natter:key:{user}:k")]).await.unwrap();
    assert!((85..=90).contains(&attempt), "{attempt}");
    state.heartbeat(&devices(&[user]), TTL).await.unwrap();
    swept(&state).await;
    let known: i64 = server.run(&["TTL", &format!("natter:presence:{user}")]).await.unwrap();
    assert!((2_591_000..=2_592_000).contains(&known), "{known}");
    let fixed = ["natter:born", "natter:presence", "natter:presence:due", "natter:ready"];
    for key in server.run::<Vec<String>>(&["KEYS", "*"]).await.unwrap() {
        let ends: i64 = server.run(&["TTL", &key]).await.unwrap();
        assert!(ends >= 0 || fixed.contains(&key.as_str()), "{key}");
    }
}

#[tokio::test]
async fn a_start_without_a_usable_redis_names_why_and_no_password() {
    let server = RedisServer::start().await;
    server.run::<()>(&["CONFIG", "SET", "requirepass", "right"]).await.unwrap();
    let url = server.url().replace("redis://", "redis://:hunter2@");
    let refused = Redis::connect(&url).await.err().unwrap();
    assert!(matches!(refused, ConnectError::Rejected(_)), "{refused}");
    let nonsense = Redis::connect("redis://:hunter2@host:port").await.err().unwrap();
    assert!(matches!(nonsense, ConnectError::Address(_)), "{nonsense}");
    for error in [refused, nonsense] {
        assert!(!error.to_string().contains("hunter2") && !format!("{error:?}").contains("hunter2"));
    }
}
