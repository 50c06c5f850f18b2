//! Limits of those who log in: by address, by account, by session.

use std::net::IpAddr;

use natter_runtime::rates::Rates;
use natter_schemas::{id::SessionId, limits};
use serde_json::{Value, json};

use crate::harness::{Edge, PASSWORD};

/// Behind a proxy that is trusted.
async fn proxied(rates: &str) -> Edge {
    let rates = Rates::off().with(rates).expect("rules");
    Edge::start_with(|config| {
        config.rates = rates;
        config.trusted_proxies = vec![IpAddr::from([127, 0, 0, 1]).into()];
    })
    .await
}

fn log_in(account: &str, password: &str) -> Value {
    json!({"login": account, "password": password})
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_limits_of_their_own() {
    let edge = proxied("login=1/h*2").await;
    let status =
        async |client: &str| edge.forwarded(client, "/api/auth/login", &log_in("alice", PASSWORD)).await.0;
    assert_eq!([status("192.0.2.1").await, status("192.0.2.1").await], [200, 200]);
    assert_eq!([status("192.0.2.1").await, status("192.0.2.2").await], [429, 200]);
    // A host chooses from 2⁶⁴ addresses.
    let (first, same, other) = ("2001:db8:0:1::1", "[2001:db8:0:1:ffff::2]:4711", "2001:db8:0:2::1");
    assert_eq!([status(first).await, status(same).await], [200, 200]);
    assert_eq!([status(first).await, status(same).await, status(other).await], [429, 429, 200]);
}

#[tokio::test]
async fn forwarding_headers_of_others_change_nothing() {
    let rates = Rates::off().with("login=1/h*2").expect("a rule");
    let edge = Edge::start_with(|config| config.rates = rates).await;
    for (client, expected) in [("192.0.2.1", 200), ("192.0.2.2", 200), ("192.0.2.3", 429)] {
        let (status, answer) = edge.forwarded(client, "/api/auth/login", &log_in("alice", PASSWORD)).await;
        assert_eq!(status, expected, "{answer}");
        assert!(!answer.contains("Secure") && !answer.contains("strict-transport"), "{answer}");
    }
}

#[tokio::test]
async fn a_cookie_is_secure_when_a_trusted_proxy_reports_https() {
    let edge = proxied("login=1/h*2").await;
    let (_, answer) = edge.forwarded("192.0.2.1", "/api/auth/login", &log_in("alice", PASSWORD)).await;
    assert!(answer.contains("; Secure") && answer.contains("strict-transport-security"), "{answer}");
}

#[tokio::test]
async fn an_account_is_not_guessed_from_many_addresses_and_its_owner_not_kept_out() {
    let edge = proxied("login=1000/s").await;
    let status = async |client: String, account: &str, password: &str| {
        edge.forwarded(&client, "/api/auth/login", &log_in(account, password)).await
    };
    let home = || "198.51.100.1".to_owned();
    assert_eq!(status(home(), "alice", PASSWORD).await.0, 200);
    for number in 0..limits::LOG_INS_AT_ONCE {
        assert_eq!(status(format!("192.0.2.{number}"), "alice", "a guess").await.0, 401);
    }
    let (refused, answer) = status("192.0.2.100".to_owned(), "Alice ", "a guess").await;
    assert_eq!(refused, 429, "{answer}");
    assert!(answer.contains("retry-after: 1\r\n") && answer.contains("rate_limited"), "{answer}");
    // Nor with the right password, from where it was never used.
    assert_eq!(status("192.0.2.100".to_owned(), "alice", PASSWORD).await.0, 429);
    assert_eq!(status(home(), "alice", PASSWORD).await.0, 200);
    assert_eq!(status("192.0.2.100".to_owned(), "bob", PASSWORD).await.0, 200);
}

#[tokio::test]
async fn who_has_registered_or_renewed_is_not_kept_out_from_there() {
    let edge = proxied("login=1000/s,renew=1000/s,address=1000/s").await;
    let guessed = async |account: &str| {
        for number in 0..=limits::LOG_INS_AT_ONCE {
            let body = log_in(account, "a guess");
            edge.forwarded(&format!("192.0.2.{number}"), "/api/auth/login", &body).await;
        }
    };
    let status = async |client: &str, path: &str, body: Value| edge.forwarded(client, path, &body).await.0;
    let log_in_status = async |client: &str, account: &str| {
        status(client, "/api/auth/login", log_in(account, PASSWORD)).await
    };
    let new =
        json!({"username": "carol", "email": "carol@example.org", "password": PASSWORD, "displayName": "C"});
    assert_eq!(status("198.51.100.1", "/api/auth/register", new).await, 201);
    let token = json!({"refreshToken": SessionId::fresh().to_string()});
    assert_eq!(status("198.51.100.2", "/api/auth/refresh", token).await, 200);
    for account in ["carol", "carol@example.org", "alice", "alice@example.org"] {
        guessed(account).await;
        let home = if account.starts_with("carol") { "198.51.100.1" } else { "198.51.100.2" };
        assert_eq!(log_in_status(home, account).await, 200, "{account}");
        assert_eq!(log_in_status("192.0.2.200", account).await, 429, "{account}");
    }
}

#[tokio::test]
async fn people_who_share_an_address_renew_and_each_session_has_a_limit() {
    const PEOPLE: usize = 150;
    let edge = proxied("login=1/h,renew=1/h*2,address=1000/s").await;
    let office = "192.0.2.1";
    let renew = async |token: &str| {
        edge.forwarded(office, "/api/auth/refresh", &json!({"refreshToken": token})).await
    };
    let sessions: Vec<_> = (0..PEOPLE).map(|_| SessionId::fresh().to_string()).collect();
    let mut tokens = Vec::new();
    for session in &sessions {
        // As from before tokens named their session.
        let (status, answer) = renew(session).await;
        assert_eq!(status, 200, "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let body: Value = serde_json::from_str(body).expect("JSON");
        tokens.push(body["refreshToken"].as_str().expect("a token").to_owned());
    }
    assert_eq!([renew(&tokens[0]).await.0, renew(&tokens[0]).await.0], [200, 200]);
    let (status, answer) = renew(&tokens[0]).await;
    assert!(status == 429 && answer.contains("'renew'"), "{answer}");
    assert_eq!(renew(&tokens[1]).await.0, 200);
}

#[tokio::test]
async fn renewals_with_made_up_tokens_are_bounded_by_address() {
    let edge = proxied("renew=1000/s,address=1/h*5").await;
    for number in 0..6 {
        let token = json!({"refreshToken": format!("made-up-{number}")});
        let (status, _) = edge.forwarded("192.0.2.1", "/api/auth/refresh", &token).await;
        assert_eq!(status, if number < 5 { 401 } else { 429 });
    }
}
