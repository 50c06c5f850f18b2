//! The audit log of a deployment: what is in it, from whom, and that a kill leaves it whole.

use std::{collections::BTreeSet, fs};

use futures_util::future::join_all;
use natter_testkit::{Answer, Cluster, Folder, PASSWORD, User, text, until};
use reqwest::Method;
use serde_json::{Value, json};

use crate::NATTER;

const PROXIED: &str = "198.51.100.7";
const NEW_PASSWORD: &str = "a better horse";

struct Audited {
    cluster: Cluster,
    folder: Folder,
}

impl Audited {
    /// Both workers write one file.
    async fn start(changed: &[(&'static str, &str)]) -> Self {
        let folder = Folder::new();
        let path = folder.file("audit.log").display().to_string();
        let settings = [&[("AUDIT_LOG", path.as_str()), ("TRUSTED_PROXIES", "127.0.0.1")], changed].concat();
        Self { cluster: Cluster::start_with_settings(NATTER, &settings).await, folder }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.folder.file("audit.log")).unwrap()
    }

    fn records(&self) -> Vec<Value> {
        self.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Of this type and this user.
    fn of(&self, kind: &str, user: &User) -> Vec<Value> {
        self.records()
            .into_iter()
            .filter(|record| record["type"] == kind && record["user"] == *user.id)
            .collect()
    }

    #[track_caller]
    fn one(&self, kind: &str, user: &User) -> Value {
        let found = self.of(kind, user);
        assert_eq!(found.len(), 1, "{kind}: {found:?}");
        found[0].clone()
    }

    /// What `natter audit verify` prints.
    fn verified(&self) -> (Option<i32>, String) {
        let path = self.folder.file("audit.log").display().to_string();
        let output = self.cluster.run(&["audit", "verify", &path], &[]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// By way of a proxy that is trusted.
async fn proxied(user: &User, method: Method, path: &str, body: &Value) -> Answer {
    user.call_with(method, path, &[("X-Forwarded-For", PROXIED)], Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_accounts_is_recorded_with_its_client() {
    let audited = Audited::start(&[("REFRESH_GRACE", "0s")]).await;
    let mut alice = audited.cluster.user(0, "alice").await;
    assert_eq!(audited.one("registered", &alice)["client"], "127.0.0.1");
    let login = |password: &str| json!({"login": alice.name, "password": password});
    proxied(&alice, Method::POST, "/api/auth/login", &login("not this one")).await;
    assert_eq!(audited.one("log_in_failed", &alice)["client"], PROXIED);
    let unknown = json!({"login": "no-one-is-called-so", "password": "not this one"});
    proxied(&alice, Method::POST, "/api/auth/login", &unknown).await;
    let unknown = audited.records().into_iter().find(|r| r["type"] == "log_in_failed" && r["user"].is_null());
    assert_eq!(unknown.unwrap()["client"], PROXIED);
    let opened = proxied(&alice, Method::POST, "/api/auth/login", &login(PASSWORD)).await.ok(200);
    let logged_in = audited.one("logged_in", &alice);
    assert_eq!((&logged_in["client"], &logged_in["session"]), (&json!(PROXIED), &opened["sessionId"]));
    assert_eq!(logged_in["method"], "password");

    let change = |current: &str| json!({"current": current, "next": NEW_PASSWORD});
    proxied(&alice, Method::POST, "/api/me/password", &change("not this one")).await;
    assert_eq!(audited.one("password_change_failed", &alice)["client"], PROXIED);
    proxied(&alice, Method::POST, "/api/me/password", &change(PASSWORD)).await.ok(204);
    audited.one("password_changed", &alice);
    let ended = audited.one("session_ended", &alice);
    assert_eq!((&ended["session"], &ended["reason"]), (&opened["sessionId"], &json!("password_changed")));

    let stolen = json!({"refreshToken": alice.refresh_token});
    alice.refresh().await;
    proxied(&alice, Method::POST, "/api/auth/refresh", &stolen).await;
    assert_eq!(audited.one("refresh_token_reused", &alice)["client"], PROXIED);
    assert_eq!(audited.of("session_ended", &alice)[1]["reason"], "refresh_token_reused");

    let made = audited.cluster.run(&["token", &alice.name], &[]);
    assert!(made.status.success(), "{made:?}");
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let made = audited.one("access_token_made", &alice);
    assert!(made["client"].is_null() && !text(&made["operator"]).is_empty(), "{made}");

    let bob = audited.cluster.user(1, "bob").await;
    let second = bob.log_in().await;
    let sessions = bob.get("/api/auth/sessions").await.ok(200);
    let other = text(&sessions["items"][0]["id"]);
    proxied(&bob, Method::DELETE, &format!("/api/auth/sessions/{other}"), &Value::Null).await.ok(204);
    proxied(&bob, Method::POST, "/api/auth/logout", &json!({})).await.ok(204);
    let reasons: Vec<_> = audited.of("session_ended", &bob).iter().map(|r| text(&r["reason"])).collect();
    assert_eq!(reasons, ["ended_by_user", "logged_out"]);

    let carol = audited.cluster.user(0, "carol").await;
    proxied(&carol, Method::DELETE, "/api/me", &json!({"password": "not this one"})).await;
    assert_eq!(audited.one("erasure_failed", &carol)["client"], PROXIED);
    proxied(&carol, Method::DELETE, "/api/me", &json!({"password": PASSWORD})).await.ok(202);
    assert_eq!(audited.one("user_erased", &carol)["client"], PROXIED);

    // Nothing that was written, and no secret.
    let written = audited.text();
    for secret in [
        &alice.name,
        "tests.example",
        "no-one-is-called-so",
        PASSWORD,
        NEW_PASSWORD,
        "not this one",
        &token,
        &alice.token,
        &alice.refresh_token,
        &second.refresh_token,
        &text(&opened["token"]),
        &text(&opened["refreshToken"]),
    ] {
        assert!(!written.contains(secret), "{secret}");
    }
    let (code, said) = audited.verified();
    assert_eq!(code, Some(0), "{said}");
    // Of two workers and a command.
    let processes: BTreeSet<_> = audited.records().iter().map(|record| text(&record["process"])).collect();
    assert_eq!(processes.len(), 3, "{processes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_in_a_group_is_recorded() {
    let audited = Audited::start(&[]).await;
    let (alice, bob) = (audited.cluster.user(0, "alice").await, audited.cluster.user(1, "bob").await);
    let (carol, dan) = (audited.cluster.user(0, "carol").await, audited.cluster.user(1, "dan").await);
    let room = alice.group(&[&bob, &carol, &dan]).await;
    let role_of = |role: &str| json!({ "role": role });
    let member = |user: &User| room.path(&format!("/participants/{}", user.id));
    // Refused, so nothing is recorded.
    assert_eq!(proxied(&bob, Method::PATCH, &member(&carol), &role_of("admin")).await.status, 403);
    proxied(&alice, Method::PATCH, &member(&bob), &role_of("admin")).await.ok(200);
    let changed = audited.one("role_changed", &bob);
    assert_eq!((&changed["by"], &changed["role"]), (&json!(alice.id), &json!("admin")));
    assert_eq!((&changed["conversation"], &changed["client"]), (&json!(room.id), &json!(PROXIED)));
    proxied(&alice, Method::DELETE, &member(&dan), &Value::Null).await.ok(204);
    assert_eq!(audited.one("member_removed", &dan)["by"], *alice.id);
    // By hand, and by leaving.
    proxied(&alice, Method::PATCH, &member(&bob), &role_of("owner")).await.ok(200);
    assert_eq!(audited.one("owner_changed", &bob)["by"], *alice.id);
    proxied(&bob, Method::DELETE, &member(&bob), &Value::Null).await.ok(204);
    assert_eq!(audited.one("owner_changed", &alice)["by"], *bob.id);
    assert_eq!(audited.one("member_removed", &bob)["by"], *bob.id);
    assert!(audited.of("role_changed", &carol).is_empty());
    assert!(!audited.text().contains("People"), "the group's name");
    let (code, said) = audited.verified();
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_leaves_a_log_that_is_whole() {
    let mut audited = Audited::start(&[]).await;
    let alice = audited.cluster.user(0, "alice").await;
    let mut answered: Vec<String> = Vec::new();
    for round in 0..2 {
        // Until log-ins are answered, so that it is killed in the middle of them.
        let log_ins = (0..24).map(|_| {
            let alice = alice.clone();
            tokio::spawn(async move {
                let login = json!({"login": alice.name, "password": PASSWORD});
                alice.post("/api/auth/login", &login).await
            })
        });
        let log_ins: Vec<_> = log_ins.collect();
        let before = audited.of("logged_in", &alice).len();
        until("log-ins are recorded", async || audited.of("logged_in", &alice).len() > before).await;
        if round == 0 {
            audited.cluster.kill_worker(0);
        }
        for answer in join_all(log_ins).await {
            let answer = answer.unwrap();
            answered.extend((answer.status == 200).then(|| text(&answer.body["sessionId"])));
        }
    }
    // What was answered is there, whoever was killed.
    let recorded: BTreeSet<_> =
        audited.of("logged_in", &alice).iter().map(|record| text(&record["session"])).collect();
    assert!(!answered.is_empty());
    for session in &answered {
        assert!(recorded.contains(session), "{session} of {}", recorded.len());
    }
    let (code, said) = audited.verified();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("did not stop: it runs, or was killed"), "{said}");

    // And what someone changes is found.
    let path = audited.folder.file("audit.log");
    let changed = audited.text().replacen("\"password\"", "\"oidc\"", 1);
    fs::write(&path, changed).unwrap();
    let (code, said) = audited.verified();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("broken: {}:", path.display())), "{said}");
}
