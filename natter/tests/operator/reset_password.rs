//! Links for a new password that operators make.

use std::fs;

use natter_testkit::{Cluster, Folder, PASSWORD, User, text, until};
use serde_json::{Value, json};

use crate::{NATTER, deployment::CommandOutput};

const NEXT: &str = "staple battery horse";

fn reset(cluster: &Cluster, user: &str, settings: &[(&str, &str)]) -> CommandOutput {
    CommandOutput::of(&cluster.run(&["reset-password", user], settings))
}

async fn confirm(user: &User, token: &str) -> natter_testkit::Answer {
    user.post("/api/auth/password-reset/confirm", &json!({"token": token, "next": NEXT})).await
}

async fn log_in(user: &User, password: &str) -> u16 {
    user.post("/api/auth/login", &json!({"login": user.name, "password": password})).await.status
}

#[tokio::test]
async fn an_operators_link_sets_one_new_password_without_mail() {
    let folder = Folder::new();
    let audit = folder.file("audit.log").display().to_string();
    let settings = [("AUDIT_LOG", audit.as_str())];
    let cluster = Cluster::start_with_settings(NATTER, &settings).await;
    let alice = cluster.user(0, "alice").await;
    let address = format!("{}@tests.example", alice.name);
    // By each name that the user has; only the last link is good.
    let tokens: Vec<String> = [alice.name.to_uppercase(), alice.id.clone(), address]
        .iter()
        .map(|named| {
            let made = reset(&cluster, named, &[("PUBLIC_URL", "https://chat.example")]).ok();
            let link = made.trim().strip_prefix("https://chat.example/reset-password#");
            link.unwrap_or_else(|| panic!("{made}")).to_owned()
        })
        .collect();
    for former in &tokens[..2] {
        assert_eq!(confirm(&alice, former).await.code(), (400, "link_invalid"));
    }
    assert_eq!(log_in(&alice, PASSWORD).await, 200, "a link alone changes nothing");
    confirm(&alice.at(1), &tokens[2]).await.ok(204);
    assert_eq!(confirm(&alice, &tokens[2]).await.code(), (400, "link_invalid"));
    until("its sessions have ended", async || alice.get("/api/me").await.status == 401).await;
    assert_eq!((log_in(&alice, PASSWORD).await, log_in(&alice, NEXT).await), (401, 200));

    let written = fs::read_to_string(&audit).unwrap();
    let records = written.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let made: Vec<Value> = records.filter(|record| record["type"] == "password_reset_requested").collect();
    assert_eq!(made.len(), 3, "{written}");
    for record in made {
        assert_eq!(record["user"], *alice.id);
        assert!(record["client"].is_null() && !text(&record["operator"]).is_empty(), "{record}");
    }
    assert!(tokens.iter().all(|token| !written.contains(token.split_once('.').unwrap().1)));
}

#[tokio::test]
async fn an_operator_gets_no_link_for_who_is_not_there() {
    let cluster = Cluster::start(NATTER).await;
    let alice = cluster.user(0, "alice").await;
    let refused = reset(&cluster, "no-one", &[]);
    assert_eq!(refused.out, "");
    assert!(refused.error().contains("there is no user no-one"));
    alice.call(reqwest::Method::DELETE, "/api/me", Some(&json!({"password": PASSWORD}))).await.ok(202);
    for named in [&alice.name, &alice.id] {
        let refused = reset(&cluster, named, &[]);
        assert_eq!(refused.out, "");
        assert!(refused.error().contains("or the account is closed"));
    }
    // Without an address the token alone is printed.
    let bob = cluster.user(1, "bob").await;
    let made = reset(&cluster, &bob.name, &[("PUBLIC_URL", "")]).ok();
    let (_, token) = made.trim().split_once('#').expect("a token");
    confirm(&bob, token).await.ok(204);
}
