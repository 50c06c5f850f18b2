//! Email addresses and display names: shown to those who may see them, and nowhere on disk.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use natter_testkit::{Cluster, DevServer, User, until};
use serde_json::{Value, json};

use crate::{NATTER, ROOT, SEALED, rest::files_with, store};

/// In no other word of these tests.
const MARK: &str = "wiedehopf";

fn folder(cluster: &Cluster) -> PathBuf {
    cluster.database().parent().unwrap().to_owned()
}

async fn named(cluster: &Cluster, username: &str) -> User {
    let user = cluster.user(0, username).await;
    rename(&user).await;
    user
}

async fn rename(user: &User) {
    user.patch("/api/me", &json!({"displayName": format!("Anna {MARK}")})).await.ok(200);
}

/// A registration with an address and a name that have the mark.
fn registration(username: &str) -> Value {
    json!({
        "username": username,
        "email": format!("{username}@{MARK}.example"),
        "password": "correct horse battery",
        "displayName": format!("Anna {MARK}"),
    })
}

async fn log_in(user: &User, login: &str) -> u16 {
    let body = json!({"login": login, "password": "correct horse battery"});
    user.post("/api/auth/login", &body).await.status
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn command(cluster: &Cluster, arguments: &[&str]) -> Command {
    cluster.command(&[&["keys"], arguments].concat(), &[("CHAT_ENCRYPTION_ENABLED", "true")])
}

fn sealed_users(cluster: &Cluster) -> u32 {
    let sealed = "SELECT count(*) FROM users WHERE substr(display_name, 1, 1) = char(1)";
    store(cluster).query_row(sealed, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_and_a_name_that_are_shown_are_nowhere_on_disk() {
    let cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let bob = cluster.user(1, "bob").await;
    let anna = bob.post("/api/auth/register", &registration("anna")).await.ok(201);
    let id = anna["user"]["id"].as_str().unwrap();
    assert_eq!(anna["user"]["email"], format!("anna@{MARK}.example"));
    assert_eq!(log_in(&bob, &format!("ANNA@{MARK}.example")).await, 200);
    // In a list of people, in a search, to a group, on both edges.
    let body = json!({"type": "group", "name": "a room", "participantIds": [id]});
    let room = bob.post("/api/conversations", &body).await.ok(201);
    for user in [&bob, &bob.at(0)] {
        let found = user.get(&format!("/api/users?query={}", &MARK[..4])).await.ok(200);
        assert_eq!(found["items"][0]["displayName"], format!("Anna {MARK}"), "{found}");
        assert!(found["items"][0].get("email").is_none(), "{found}");
        let room = user.get(&format!("/api/conversations/{}", room["id"].as_str().unwrap())).await.ok(200);
        assert!(room["participants"].to_string().contains(MARK), "{room}");
    }
    let exported = cluster.run(&["export", "user", &format!("anna@{MARK}.example")], &[]);
    let exported = (exported.status.success(), said(&exported));
    assert!(exported.0 && exported.1.contains(&format!("anna@{MARK}.example")), "{}", exported.1);
    let folder = folder(&cluster);
    assert!(!files_with(&folder, "anna").is_empty(), "what is looked for would be found");
    for bytes in [MARK, "Wiedehopf", "WIEDEHOPF"] {
        assert_eq!(files_with(&folder, bytes), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_from_before_are_sealed_in_the_store_also_after_kill_9() {
    let mut cluster = Cluster::start_with_settings(NATTER, &[("CHAT_MESSAGE_KEY", ROOT)]).await;
    let alice = named(&cluster, "alice").await;
    alice.post("/api/auth/register", &registration("user0")).await.ok(201);
    // As many as three pages.
    (1..450).for_each(|n| copy_of_first(&cluster, n));
    let users: u32 = store(&cluster).query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(sealed_users(&cluster), 0);
    assert!(!files_with(&folder(&cluster), MARK).is_empty(), "what is looked for would be found");

    let mut running = command(&cluster, &["reseal", "--rate", "100"]).spawn().unwrap();
    until("some are sealed", async || sealed_users(&cluster) > 0).await;
    running.kill().unwrap();
    running.wait().unwrap();
    let sealed = sealed_users(&cluster);
    assert!(sealed < users, "it was killed in the middle");
    let done = {
        let mut command = command(&cluster, &["reseal", "--rate", "100000"]);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(said(&done).contains("were already"), "{}", said(&done));
    assert_eq!(sealed_users(&cluster), users);
    cluster.kill_worker(0);
    cluster.kill_worker(1);
    assert_eq!(files_with(&folder(&cluster), MARK), Vec::<String>::new());
    let worker = cluster.spawn("worker", &[("CHAT_ENCRYPTION_ENABLED", "true")]);
    worker.wait_for_event("worker is ready").await;
    assert_eq!(log_in(&alice, &format!("user0@{MARK}.example")).await, 200);
    let me = alice.get("/api/me").await.ok(200);
    assert_eq!(me["displayName"], format!("Anna {MARK}"));
}

/// Another user like `user0`, without the work of a hash of a password.
fn copy_of_first(cluster: &Cluster, n: usize) {
    let id = natter_schemas::id::UserId::fresh();
    let (username, email) = (format!("user{n}"), format!("user{n}@{MARK}.example"));
    store(cluster)
        .execute(
            "INSERT INTO users (id, username, username_fold, email, email_fold, display_name, password_hash, created_at)
             SELECT ?1, ?2, CAST(?2 AS BLOB), ?3, CAST(?3 AS BLOB), display_name, password_hash, created_at
               FROM users WHERE username = 'user0'",
            rusqlite::params![id.as_bytes(), username, email],
        )
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_read_however_sealing_is_switched() {
    let mut natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let mut alice = User::register_as(&natter.http, "alice").await;
    rename(&alice).await;
    for (at, setting) in ["true", "false", "true"].into_iter().enumerate() {
        natter.stop().await;
        natter.set("CHAT_ENCRYPTION_ENABLED", setting);
        natter.start_again().await;
        alice.move_to(&natter.http);
        let username = format!("anna{at}");
        alice.post("/api/auth/register", &registration(&username)).await.ok(201);
        for earlier in 0..=at {
            let (mut again, address) = (registration("rival"), format!("anna{earlier}@{MARK}.example"));
            again["email"] = json!(address.to_uppercase());
            assert_eq!(alice.post("/api/auth/register", &again).await.code(), (409, "email_taken"));
            assert_eq!(log_in(&alice, &address).await, 200);
        }
        let found = alice.get(&format!("/api/users?query={MARK}")).await.ok(200);
        assert_eq!(found["items"].as_array().unwrap().len(), at + 2, "{found}");
    }
}
