//! `natter seed` against a real `natter dev`.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, process::Output};

use serde_json::{Value, json};

use natter_testkit::{DevServer, command};

const NATTER: &str = env!("CARGO_BIN_EXE_natter");

const USERS: usize = 6;
const SIZE: [&str; 6] = ["--users", "6", "--conversations", "12", "--messages", "150"];

async fn seed(url: &str, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::from(command(NATTER, &[]));
    command.args(["seed", "--url", url]).args(SIZE).args(arguments).output().await.unwrap()
}

/// The columns `made` and `there` of what it printed.
fn counts(output: &Output) -> BTreeMap<String, (u64, u64)> {
    let (text, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{log}");
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [what @ .., made, there] = words.as_slice() else { return None };
        Some((what.join(" "), (made.parse().ok()?, there.parse().ok()?)))
    };
    text.lines().filter_map(row).collect()
}

/// Every conversation as its people see it: the newest event, what is unread.
async fn state(natter: &DevServer, tag: &str) -> BTreeMap<String, Value> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut state = BTreeMap::new();
    for number in 1..=USERS {
        let name = format!("{tag}-{number:04}");
        let body = json!({"login": name, "password": "natter-seed"});
        let login = http.post(format!("{}/api/auth/login", natter.http)).json(&body).send().await.unwrap();
        let session: Value = login.json().await.unwrap();
        let token = session["token"].as_str().unwrap();
        let path = format!("{}/api/conversations?limit=100", natter.http);
        let page: Value = http.get(path).bearer_auth(token).send().await.unwrap().json().await.unwrap();
        for room in page["items"].as_array().unwrap() {
            let id = room["id"].as_str().unwrap();
            let path = format!("{}/api/messages?conversationId={id}&limit=100", natter.http);
            let history: Value =
                http.get(path).bearer_auth(token).send().await.unwrap().json().await.unwrap();
            let entry = state.entry(id.to_owned()).or_insert_with(|| json!({}));
            entry["type"] = room["type"].clone();
            entry["head"] = room["headSeq"].clone();
            entry["messages"] = json!(history["items"].as_array().unwrap().len());
            entry[&name] = room["unreadCount"].clone();
        }
    }
    state
}

#[tokio::test]
async fn it_makes_what_it_was_asked_for_and_the_same_again_adds_nothing() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "login=600/min")]).await;
    let first = counts(&seed(&natter.http, &[]).await);
    assert_eq!(first["users"], (6, 0));
    assert_eq!(first["conversations"], (12, 0));
    assert_eq!(first["messages"], (150, 0));
    for what in ["edits", "reactions", "read marks"] {
        assert!(first[what].0 > 0, "{what}: {first:?}");
    }

    let before = state(&natter, "seed").await;
    assert_eq!(before.len(), 12);
    let total: u64 = before.values().map(|room| room["messages"].as_u64().unwrap()).sum();
    assert_eq!(total, 150);
    assert!(before.values().any(|room| room["type"] == "direct"));
    assert!(before.values().any(|room| room["type"] == "group"));

    let second = counts(&seed(&natter.http, &[]).await);
    for (what, (made, there)) in &second {
        assert_eq!((*made, *there), (0, first[what].0), "{what}: {second:?}");
    }
    assert_eq!(state(&natter, "seed").await, before);

    let other = counts(&seed(&natter.http, &["--tag", "other"]).await);
    assert_eq!((other["users"], other["messages"]), ((6, 0), (150, 0)));
    assert_eq!(state(&natter, "seed").await, before);
}

#[tokio::test]
async fn a_tight_limit_is_waited_out() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "send=40/s*5,write=40/s*5,login=600/min")]).await;
    let made = counts(&seed(&natter.http, &[]).await);
    assert_eq!(made["messages"], (150, 0));
    assert!(natter.metric("natter_rate_limited_total").await > 0.0);
}

#[tokio::test]
async fn without_a_server_it_fails_with_the_reason() {
    let output = seed("http://127.0.0.1:9", &[]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("http://127.0.0.1:9 does not answer; is Natter running there?"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
