//! The same thing twice at the same moment is one thing.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;
use serde_json::{Value, json};

use natter_testkit::{DevServer, User, chain_seqs};

use crate::NATTER;

#[tokio::test]
async fn one_client_id_on_two_sockets_of_a_device_is_one_message() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut one, mut two) = (alice.socket("phone").await, alice.socket("phone").await);
    let mut reader = bob.socket("phone").await;
    for number in 0..100 {
        let frame = room.message_frame(&format!("twin-{number}"), "said twice");
        let (first, second) = tokio::join!(one.call(frame.clone()), two.call(frame));
        assert_eq!(first["seq"], second["seq"], "{first} {second}");
        assert_eq!(first["messageId"], second["messageId"]);
        assert_eq!(first["createdAt"], second["createdAt"]);
        let duplicates = [&first, &second].iter().filter(|ack| ack["duplicate"] == true).count();
        assert_eq!(duplicates, 1, "{first} {second}");
    }
    let history = alice.history(&room).await;
    assert_eq!(history.len(), 100);
    reader.wait_for_seq(&room, history[99]["seq"].as_u64().unwrap()).await;
    assert_eq!(chain_seqs(&reader.frames, &room, room.head).len(), 100);
}

#[tokio::test]
async fn a_client_id_is_unique_by_user_device_and_conversation() {
    let natter = DevServer::start(NATTER, &[]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let (room, other) = (alice.group(&[&bob]).await, alice.group(&[&bob]).await);
    let (mut phone, mut laptop) = (alice.socket("phone").await, alice.socket("laptop").await);
    let mut bobs = bob.socket("phone").await;
    let mut ids = HashSet::new();
    for (socket, room) in [(&mut phone, &room), (&mut laptop, &room), (&mut bobs, &room)] {
        let ack = socket.call(room.message_frame("c", "x")).await;
        assert_eq!(ack["duplicate"], false, "{ack}");
        ids.insert(ack["messageId"].to_string());
    }
    ids.insert(phone.call(other.message_frame("c", "x")).await["messageId"].to_string());
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn one_idempotency_key_posted_ten_times_at_once_is_one_message() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    for round in 0..10 {
        let key = format!("key-{round}");
        let answers = join_all((0..10).map(|_| alice.post_once(&key, &room.id, "once"))).await;
        let mut by_status: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
        for answer in answers {
            by_status.entry(answer.status).or_default().push(answer.body);
        }
        assert!(by_status.keys().all(|status| [201, 409].contains(status)), "{by_status:?}");
        let made = &by_status[&201];
        assert!(made.iter().all(|message| message == &made[0]), "{made:?}");
        let refused = by_status.get(&409).cloned().unwrap_or_default();
        assert!(refused.iter().all(|problem| problem["code"] == "idempotency_in_progress"));
        // Afterwards the answer is there for every caller.
        let replayed = alice.post_once(&key, &room.id, "once").await;
        assert_eq!(replayed.headers["idempotency-replayed"], "true");
        assert_eq!(replayed.ok(201), made[0]);
        assert_eq!(alice.post_once(&key, &room.id, "other").await.code(), (422, "idempotency_mismatch"));
    }
    assert_eq!(alice.history(&room).await.len(), 10);
}

#[tokio::test]
async fn a_refused_attempt_does_not_burn_its_key() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let foreign = User::register_as(&natter.http, "eve").await.group(&[&bob]).await;
    for round in 0..50 {
        let key = format!("key-{round}");
        assert_eq!(alice.post_once(&key, &foreign.id, "hello").await.code(), (404, "not_found"));
        assert_eq!(alice.post_once(&key, &room.id, " ").await.code(), (422, "invalid"));
        alice.post_once(&key, &room.id, "hello").await.ok(201);
    }
    assert_eq!(alice.history(&room).await.len(), 50);
}

#[tokio::test]
async fn one_name_registered_ten_times_at_once_is_one_account() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let account =
        json!({"username": "bob", "email": "bob@tests.example", "password": "correct horse battery"});
    let answers = join_all((0..10).map(|_| alice.post("/api/auth/register", &account))).await;
    let mut codes: Vec<_> = answers.iter().map(natter_testkit::Answer::code).collect();
    codes.sort_unstable();
    assert_eq!(codes[0], (201, ""));
    assert!(codes[1..].iter().all(|(status, _)| *status == 409), "{codes:?}");
}

#[tokio::test]
async fn one_direct_conversation_opened_by_both_at_once_is_one_conversation() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    for number in 0..5 {
        let other = User::register_as(&natter.http, &format!("other-{number}")).await;
        let (mine, theirs) = (direct(&other), direct(&alice));
        let path = "/api/conversations";
        let (one, two) = tokio::join!(alice.post(path, &mine), other.post(path, &theirs));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201]);
        assert_eq!(one.body["id"], two.body["id"]);
        assert_eq!(alice.post(path, &mine).await.ok(200)["id"], one.body["id"]);
    }
    assert_eq!(alice.get("/api/conversations").await.ok(200)["items"].as_array().unwrap().len(), 5);
}

fn direct(with: &User) -> Value {
    json!({"type": "direct", "participantIds": [with.id]})
}
