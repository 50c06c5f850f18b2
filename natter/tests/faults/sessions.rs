//! Access ends: with a log-out, and with a token.

use std::time::Duration;

use serde_json::json;

use natter_testkit::{DevServer, Socket, User, until};

use crate::NATTER;

/// The contract's word on how long an ended session may go on.
const SOON: Duration = Duration::from_secs(2);
/// Between renewals of a token that lasts for 2 s.
const RENEWAL: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_logout_ends_its_sockets_and_calls_within_two_seconds() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let other = User::log_in_as(&natter.http, "alice").await;
    let (mut phone, mut laptop) = (alice.socket("phone").await, alice.socket("laptop").await);
    let mut elsewhere = other.socket("phone").await;
    alice.post("/api/auth/logout", &json!({})).await.ok(204);
    for socket in [&mut phone, &mut laptop] {
        assert_eq!(tokio::time::timeout(SOON, socket.closed()).await, Ok(4500));
    }
    assert_eq!(alice.get("/api/me").await.code(), (401, "unauthenticated"));
    let refresh = json!({"refreshToken": alice.refresh_token});
    assert_eq!(other.post("/api/auth/refresh", &refresh).await.status, 401);
    let mut again = Socket::open(&natter.http).await;
    again.send_frame(&json!({"type": "hello", "token": alice.token})).await;
    assert_eq!(again.closed().await, 4500);

    elsewhere.ping().await;
    let third = User::log_in_as(&natter.http, "alice").await;
    let mut third_socket = third.socket("tablet").await;
    other.post("/api/auth/logout-all", &json!({})).await.ok(204);
    for socket in [&mut elsewhere, &mut third_socket] {
        assert_eq!(tokio::time::timeout(SOON, socket.closed()).await, Ok(4500));
    }
    until("logged out everywhere", async || third.get("/api/me").await.status == 401).await;
    User::log_in_as(&natter.http, "alice").await.get("/api/me").await.ok(200);
}

#[tokio::test]
async fn one_session_of_several_is_ended_by_its_owner_alone() {
    let natter = DevServer::start(NATTER, &[]).await;
    let here = User::register_as(&natter.http, "alice").await;
    let there = User::log_in_as(&natter.http, "alice").await;
    let mallory = User::register_as(&natter.http, "mallory").await;
    let mut elsewhere = there.socket("phone").await;
    let open = here.get("/api/auth/sessions").await.ok(200);
    let sessions = open["items"].as_array().unwrap();
    let current: Vec<_> = sessions.iter().map(|session| session["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [false, true], "newest first");
    let opened: Vec<_> = sessions.iter().map(|session| session["createdAt"].as_str().unwrap()).collect();
    assert!(opened[0] >= opened[1], "{opened:?}");

    let path = format!("/api/auth/sessions/{}", sessions[0]["id"].as_str().unwrap());
    assert_eq!(mallory.delete(&path).await.code(), (404, "not_found"));
    assert_eq!(there.get("/api/me").await.status, 200);
    here.delete(&path).await.ok(204);
    assert_eq!(tokio::time::timeout(SOON, elsewhere.closed()).await, Ok(4500));
    assert_eq!(there.get("/api/me").await.code(), (401, "unauthenticated"));
    assert_eq!(here.delete(&path).await.code(), (404, "not_found"));
    let left = here.get("/api/auth/sessions").await.ok(200);
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_ended_session_stays_ended_after_a_restart() {
    let mut natter = DevServer::start(NATTER, &[]).await;
    let mut alice = User::register_as(&natter.http, "alice").await;
    alice.post("/api/auth/logout", &json!({})).await.ok(204);
    natter.kill9().await;
    natter.start_again().await;
    alice.move_to(&natter.http);
    assert_eq!(alice.get("/api/me").await.code(), (401, "unauthenticated"));
}

#[tokio::test]
async fn a_stolen_refresh_token_ends_the_session_of_thief_and_owner() {
    let natter = DevServer::start(NATTER, &[("REFRESH_GRACE", "1s")]).await;
    let mut alice = User::register_as(&natter.http, "alice").await;
    let mut socket = alice.socket("phone").await;
    let stolen = json!({"refreshToken": alice.refresh_token});
    alice.refresh().await;
    // Right away it would be another tab of hers.
    until("the grace is over", async || alice.post("/api/auth/refresh", &stolen).await.status == 401).await;
    assert_eq!(tokio::time::timeout(SOON, socket.closed()).await, Ok(4500));
    assert_eq!(alice.get("/api/me").await.status, 401);
}

#[tokio::test]
async fn a_token_that_expires_closes_its_socket_unless_it_is_renewed_in_place() {
    let natter = DevServer::start(NATTER, &[("JWT_EXPIRES_IN", "2s"), ("RATE_LIMITS", "off")]).await;
    let (mut alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let mut expiring = bob.socket("phone").await;
    alice.refresh().await;
    let mut renewed = alice.socket("phone").await;
    // Another session's token renews nothing, and does no harm.
    let foreign = renewed.call(json!({"type": "token", "token": bob.token})).await;
    assert_eq!((&foreign["type"], &foreign["code"]), (&json!("error"), &json!("forbidden")));
    let lifetimes = async {
        assert_eq!(expiring.closed().await, 4001);
        // Another one, to its end.
        let mut next = User::log_in_as(&natter.http, "bob").await.socket("phone").await;
        assert_eq!(next.closed().await, 4001);
    };
    let renewing = async {
        // As a client does it, well before the end of each token; how often, the lifetimes of the others decide.
        let mut pace = tokio::time::interval(RENEWAL);
        loop {
            pace.tick().await;
            alice.refresh().await;
            let answer = renewed.call(json!({"type": "token", "token": alice.token})).await;
            assert_eq!(answer["type"], "ack", "{answer}");
        }
    };
    tokio::select! {
        () = lifetimes => {}
        () = renewing => {}
    }
    renewed.ping().await;
    // Without another token it ends like any other.
    assert_eq!(renewed.closed().await, 4001);
    alice.refresh().await;
    let mut late = alice.socket("phone").await;
    late.send_frame(&json!({"type": "token", "token": "rubbish"})).await;
    assert_eq!(late.closed().await, 4001);
}
