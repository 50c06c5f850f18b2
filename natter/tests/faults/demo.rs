//! `natter dev --demo` works with any settings, and ends whenever it is asked to.

use std::os::unix::process::ExitStatusExt;

use natter_testkit::{DevServer, is_alive, until};
use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::{Value, json};

use crate::NATTER;

const INCOMPLETE: &str = "the demo is not complete";

async fn get(natter: &DevServer, path: &str, token: &str) -> Value {
    let http = Client::builder().no_proxy().build().unwrap();
    let request = http.get(format!("{}{path}", natter.http)).bearer_auth(token);
    request.send().await.unwrap().json().await.unwrap()
}

/// The conversations of the first person that the log-in page names.
async fn conversations(natter: &DevServer) -> Vec<Value> {
    let people = get(natter, "/api/demo", "").await;
    let (username, password) = (&people["items"][0]["username"], &people["items"][0]["password"]);
    assert!(natter.banner().contains(username.as_str().unwrap()), "{}", natter.banner());
    let http = Client::builder().no_proxy().build().unwrap();
    let body = json!({"login": username, "password": password});
    let request = http.post(format!("{}/api/auth/login", natter.http)).json(&body);
    let session: Value = request.send().await.unwrap().json().await.unwrap();
    let page = get(natter, "/api/conversations", session["token"].as_str().unwrap()).await;
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_demo_fits_the_settings() {
    let smallest = [
        ("ADD_BY", "shared"),
        ("LIMIT_USERNAME_CHARS", "3"),
        ("LIMIT_PASSWORD_MIN_BYTES", "64"),
        ("LIMIT_NAME_CHARS", "1"),
        ("LIMIT_CONTENT_BYTES", "1"),
        ("LIMIT_CLIENT_ID_CHARS", "36"),
        ("LIMIT_PARTICIPANTS_PER_CALL", "1"),
        ("LIMIT_PARTICIPANTS", "2"),
        ("PARTITIONS", "1"),
    ];
    for settings in [&[("ADD_BY", "shared")][..], &[("LIMIT_PARTICIPANTS_PER_CALL", "1")], &smallest] {
        let natter = DevServer::start_with(NATTER, settings, &["--demo"]).await;
        let conversations = conversations(&natter).await;
        let groups = conversations.iter().filter(|conversation| conversation["type"] == "group");
        assert_eq!((conversations.len(), groups.count()), (3, 1), "{settings:?}");
        assert!(conversations.iter().filter(|c| c["lastMessage"].is_object()).count() == 2, "{settings:?}");
        assert!(!natter.log().contains(INCOMPLETE), "{settings:?}");
    }
}

#[tokio::test]
async fn what_the_settings_do_not_allow_is_missing_with_a_warning() {
    for settings in [("LIMIT_MEMBERSHIPS", "1"), ("RATE_LIMITS", "login=1/h"), ("RATE_LIMITS", "send=1/h")] {
        let natter = DevServer::start_with(NATTER, &[settings], &["--demo"]).await;
        assert!(natter.log().contains(INCOMPLETE), "{settings:?}: {}", natter.log());
    }
}

#[tokio::test]
async fn a_signal_ends_the_demo_at_any_moment_of_its_start() {
    // After each line of the log, until one is ready before its signal: every part of the start has had one then.
    for lines in 0.. {
        let mut natter = DevServer::begin(NATTER, &[], &["--demo"]);
        let is_ready = || natter.banner().contains("Ctrl-C");
        until("the start goes on", async || natter.log().lines().count() >= lines || is_ready()).await;
        let (ready, nats) = (is_ready(), natter.nats_pid());
        natter.signal(Signal::SIGTERM);
        let status = natter.ended().await;
        // Before it listens for signals the system ends it: nothing has been started then.
        let at_once = status.signal() == Some(Signal::SIGTERM as i32) && nats.is_none();
        assert!(status.success() || at_once, "after {lines} lines: {status}\n{}", natter.log());
        assert!(
            !nats.or(natter.nats_pid()).is_some_and(is_alive),
            "after {lines} lines nats-server lives on"
        );
        if ready {
            return;
        }
    }
}
