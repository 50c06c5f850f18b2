//! Users who want to be forgotten, and what they are given before.

use std::{fs, process::Output, time::Duration};

use natter_testkit::{Cluster, PASSWORD, until, until_within};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{NATTER, SEALED, rest::files_with, store};

const SOON: Duration = Duration::from_secs(2);
/// In no other word of these tests.
const MARK: &str = "goldammer";

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn receipt(cluster: &Cluster, user: &str) -> Value {
    serde_json::from_str(&ok(&cluster.run(&["erase", "user", user], &[]))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_erased_is_out_everywhere_within_two_seconds() {
    let cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let (mut alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let direct = alice.direct(&bob).await;
    let seq = alice.post_message(&direct, "of alice").await;
    let devices = [alice.device("a").await, alice.at(1).device("b").await];
    let reader = bob.device("c").await;

    let wrong = alice.call(Method::DELETE, "/api/me", Some(&json!({"password": "wrong"}))).await;
    assert_eq!(wrong.code(), (401, "bad_credentials"));
    for (body, refused) in
        [(json!({}), (401, "bad_credentials")), (json!({"password": ""}), (422, "invalid"))]
    {
        assert_eq!(alice.call(Method::DELETE, "/api/me", Some(&body)).await.code(), refused);
    }
    alice.get("/api/me").await.ok(200);
    let erased = alice.call(Method::DELETE, "/api/me", Some(&json!({"password": PASSWORD}))).await;
    assert!(erased.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    erased.ok(202);
    let login = json!({"login": alice.name, "password": PASSWORD});
    assert_eq!(alice.post("/api/auth/login", &login).await.code(), (401, "bad_credentials"));
    let refresh = json!({"refreshToken": alice.refresh_token});
    assert_eq!(alice.post("/api/auth/refresh", &refresh).await.code(), (401, "unauthenticated"));
    for (edge, device) in devices.into_iter().enumerate() {
        let there = alice.at(edge);
        until_within(SOON, "no call is answered", async || there.get("/api/me").await.status == 401).await;
        assert_eq!(device.closed().await, 4500);
    }

    // Others see an id, and texts that no one can open.
    let user = format!("/api/users/{}", alice.id);
    until("the user is erased", async || bob.get(&user).await.ok(200)["erased"] == true).await;
    let shown = bob.get(&user).await.ok(200);
    assert_eq!((&shown["username"], &shown["displayName"]), (&json!(""), &json!("")));
    let left = |frame: &Value| frame["type"] == "member:changed" && frame["userId"] == alice.id.as_str();
    reader.wait_for_frame("the group is left", left).await;
    for edge in [0, 1] {
        let page = bob.at(edge).history(&direct).await;
        assert_eq!((&page[0]["seq"], &page[0]["unreadable"]), (&json!(seq), &json!(true)), "{page:?}");
        let members = bob.at(edge).conversation(&direct).await["participants"].clone();
        assert_eq!(members.as_array().unwrap().len(), 2);
        assert!(members.as_array().unwrap().iter().any(|of| of["erased"] == true), "{members}");
    }
    assert_eq!(bob.conversation(&room).await["role"], "owner");
    bob.post_message(&direct, "still there").await;

    // The name is another's by now.
    let (name, id) = (alice.name.clone(), alice.id.clone());
    alice = natter_testkit::User::register_as(&cluster.addresses()[0], &name).await;
    assert_ne!(alice.id, id);
    assert_eq!(alice.get("/api/conversations").await.ok(200)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_erased_user_is_on_a_disk() {
    let cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    // Pages of tables are split while others register.
    for n in 0..40 {
        cluster.user(n % 2, "other").await;
    }
    let (alice, bob) = (cluster.user(0, "zaunkoenig").await, cluster.user(1, "bob").await);
    let name = json!({"displayName": "Rotkehlchen Specht"});
    alice.patch("/api/me", &name).await.ok(200);
    for n in 0..40 {
        cluster.user(n % 2, "other").await;
    }
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, MARK).await;
    until("it is persisted", async || cluster.persisted() == 1).await;
    let database = cluster.database();
    let folder = database.parent().unwrap();
    let backup = tempfile::tempdir().unwrap();
    let saved = backup.path().join("saved");
    ok(&cluster.run(&["backup", saved.to_str().unwrap()], &[]));
    // The name is sealed, and found by hashes.
    let stored = "SELECT display_name FROM users WHERE username = ?1";
    let stored: String = store(&cluster).query_row(stored, [&alice.name], |row| row.get(0)).unwrap();
    let parts: Vec<&str> = stored.split(['\u{1}', ' ']).filter(|part| !part.is_empty()).collect();
    assert_eq!(parts.len(), "otkehlchen".len() + "pecht".len() + 1, "{stored}");
    let sought: Vec<&str> = [alice.name.as_str()].into_iter().chain(parts).collect();
    for text in &sought {
        assert!(!files_with(folder, text).is_empty(), "{text} is there before");
    }

    let printed = receipt(&cluster, &alice.name);
    for text in sought.into_iter().chain([MARK, "Rotkehlchen", "specht"]) {
        assert_eq!(files_with(folder, text), Vec::<String>::new(), "{text}");
    }
    assert!(!printed.to_string().contains(&alice.name), "{printed}");
    // What the receipt says of backups: names, and no texts without keys.
    assert!(!files_with(&saved, &alice.name).is_empty());
    assert_eq!(files_with(&saved, MARK), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_survives_workers_that_are_killed() {
    let mut cluster = Cluster::start_with_settings(NATTER, &[]).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    for n in 0..60 {
        alice.post_message(&room, &format!("{MARK} {n}")).await;
    }
    cluster.kill_worker(0);
    let erased = cluster.run(&["erase", "user", &alice.id, "--no-wait"], &[]);
    ok(&erased);
    let store = store(&cluster);
    let steps = || {
        let record = "SELECT record FROM erasures";
        let record = store.query_row(record, [], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        serde_json::from_slice::<Value>(&record).map_or(0, |record| record["steps"].as_array().unwrap().len())
    };
    // In the middle of its texts, or wherever it is by then.
    until("it has begun", async || steps() > 0).await;
    cluster.kill_worker(1);
    let worker = cluster.spawn("worker", &[]);
    worker.wait_for_event("worker is ready").await;
    let printed = receipt(&cluster, &alice.id);
    let receipt = &printed["receipt"];
    assert_eq!(receipt["texts"], json!({"sealed": 0, "emptied": 60, "unreadable": 0}));
    let page = bob.history(&room).await;
    assert_eq!(page.len(), 60);
    assert!(page.iter().all(|message| message["content"].is_null()), "{page:?}");
    let verified = cluster.run(&["verify"], &[]);
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_names_what_remains_and_is_signed() {
    let cluster = Cluster::start_with_settings(NATTER, &[]).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "in clear").await;
    let missing = cluster.run(&["erase", "receipt", &alice.id], &[]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no erasure"), "{missing:?}");
    let unknown = cluster.run(&["erase", "user", "no-such-user"], &[]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no user no-such-user"));
    let keyless = cluster.run(&["erase", "user", &alice.name], &[("JWT_SECRET", "")]);
    assert!(!keyless.status.success());
    alice.get("/api/me").await.ok(200);

    let printed = receipt(&cluster, &format!("{}@TESTS.example", alice.name));
    let receipt = &printed["receipt"];
    assert_eq!(receipt["user"], alice.id.as_str());
    assert_eq!((&receipt["before"]["profiles"], &receipt["before"]["groups"]), (&json!(2), &json!(1)));
    let zeros = receipt["after"].as_object().unwrap().values().all(|count| count == 0);
    assert!(zeros, "{receipt}");
    let remains = receipt["remains"].as_array().unwrap();
    let log = remains.iter().find(|of| of["place"] == "log").unwrap();
    assert!(log["what"].as_str().unwrap().contains("in clear") && log["until"].is_string(), "{log}");
    assert!(remains.iter().any(|of| of["place"] == "backups of before"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receipt.json");
    let check = |printed: &Value, changed: &[(&str, &str)]| {
        fs::write(&file, printed.to_string()).unwrap();
        cluster.run(&["erase", "check", file.to_str().unwrap()], changed)
    };
    let signed: Value = serde_json::from_str(&ok(&check(&printed, &[]))).unwrap();
    assert_eq!(signed, *receipt);
    let mut forged = printed.clone();
    forged["receipt"]["texts"]["emptied"] = json!(0);
    assert!(!check(&forged, &[]).status.success());
    let other = [("JWT_SECRET", "another secret that signs other tokens")];
    assert!(!check(&printed, &other).status.success());
    let mut token = printed.clone();
    token["jws"] = json!(bob.token);
    let refused = check(&token, &[]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("natter-erasure"), "{refused:?}");
    let as_token = bob.with_token(printed["jws"].as_str().unwrap().to_owned());
    assert_eq!(as_token.get("/api/me").await.code(), (401, "unauthenticated"));

    let again: Value =
        serde_json::from_str(&ok(&cluster.run(&["erase", "receipt", &alice.id], &[]))).unwrap();
    assert_eq!(again["receipt"], *receipt, "as often as it is asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_everything_and_follows_its_schema() {
    let cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let first = alice.post_message(&room, "first").await;
    bob.post_message(&room, "of bob").await;
    alice.patch(&room.path(&format!("/messages/{first}")), &json!({"content": "second"})).await.ok(200);
    alice.put(&room.path(&format!("/messages/{first}/reactions/%F0%9F%91%8D"))).await.ok(204);
    alice.put(&format!("/api/blocks/{}", bob.id)).await.ok(204);
    until("it is persisted", async || cluster.persisted() == 2).await;
    alice.post_message(&room, "last").await;

    let written = ok(&cluster.run(&["export", "user", &alice.name], &[]));
    let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let schema = include_str!("../../../docs/export.schema.json");
    let schema = jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap();
    for line in &lines {
        assert!(schema.is_valid(line), "{line}");
    }
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    let contents: Vec<_> = of("message").iter().map(|line| line["content"].clone()).collect();
    assert_eq!(contents, ["first", "last"]);
    assert_eq!(of("edit")[0]["content"], "second");
    assert_eq!((&of("reaction")[0]["target"], &of("reaction")[0]["on"]), (&json!(first), &json!(true)));
    assert_eq!(of("block")[0]["userId"], bob.id.as_str());
    assert_eq!(of("profile")[0]["username"], alice.name.as_str());
    assert_eq!((of("session").len(), of("conversation").len(), of("act").len()), (1, 1, 1));
    let end = lines.last().unwrap();
    assert_eq!((&end["type"], &end["lines"]), (&json!("end"), &json!(lines.len() - 1)));
    assert!(!written.contains("of bob") && !written.contains("argon2"), "{written}");
}
