//! What a socket missed: the exact rest, or the word that it should load the newest page.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde_json::{Value, json};

use natter_testkit::{DevServer, Room, Socket, User, chain_seqs};

use crate::NATTER;

/// Everything from `welcome` to `resume:done`, exclusive.
async fn until_done(socket: &mut Socket) -> Vec<Value> {
    socket.wait_for("resume:done").await;
    let frames = &socket.frames;
    frames[1..frames.len() - 1].to_vec()
}

fn types(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_resume_gives_the_exact_rest_or_asks_to_load_the_newest_page() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut writer = alice.socket("phone").await;
    let epoch = writer.epoch();
    let seqs = writer.flood(&room, 501, "missed").await;
    let head = *seqs.iter().max().unwrap();
    let from = |seq: u64| json!({&room.id: seq});

    let mut socket = bob.resume_socket("phone", &epoch, &from(seqs[0])).await;
    let missed = until_done(&mut socket).await;
    assert_eq!(chain_seqs(&missed, &room, seqs[0]), seqs[1..]);
    let mut socket = bob.resume_socket("phone", &epoch, &from(head)).await;
    assert!(until_done(&mut socket).await.is_empty());

    let gap = json!({"type": "resume:gap", "conversationId": room.id, "headSeq": head});
    let mut warned = Vec::new();
    for (what, epoch, position) in [
        ("more than 500 missing", epoch.as_str(), room.head),
        ("another epoch", "another", seqs[0]),
        ("no epoch", "", head),
        ("past the head", &epoch, head + 1),
        ("far past the head", &epoch, u64::MAX),
        ("before everything", &epoch, 0),
    ] {
        let mut socket = bob.resume_socket("phone", epoch, &from(position)).await;
        assert_eq!(until_done(&mut socket).await, std::slice::from_ref(&gap), "{what}");
        warned.push(socket);
    }
    // From the head on everything comes.
    let next = alice.post_message(&room, "news").await;
    for socket in &mut warned {
        socket.wait_for_seq(&room, next).await;
        assert_eq!(chain_seqs(&socket.frames, &room, head), [next]);
    }
}

#[tokio::test]
async fn on_an_open_socket_resume_means_the_same() {
    let natter = DevServer::start(NATTER, &[]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut seqs = Vec::new();
    for number in 0..5 {
        seqs.push(alice.post_message(&room, &number.to_string()).await);
    }
    let mut socket = bob.socket("phone").await;
    let done = socket.call(json!({"type": "resume", "positions": {&room.id: seqs[1]}})).await;
    assert_eq!(done["type"], "resume:done");
    assert_eq!(chain_seqs(&socket.frames, &room, seqs[1]), seqs[2..]);
    socket.frames.clear();
    let done = socket.call(json!({"type": "resume", "positions": {&room.id: seqs[4] + 9}})).await;
    assert_eq!(done["type"], "resume:done");
    assert_eq!(types(&socket.frames), ["resume:gap", "resume:done"]);
}

#[tokio::test]
async fn a_foreign_conversation_looks_like_one_that_does_not_exist() {
    let natter = DevServer::start(NATTER, &[]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let eve = User::register_as(&natter.http, "eve").await;
    let room = alice.group(&[&bob]).await;
    let secret = alice.post_message(&room, "secret").await;
    let nowhere = "0190b5a0-7a5e-7abc-8def-0123456789ab";
    let mut epoch = String::new();
    for positions in [json!({&room.id: 0}), json!({&room.id: secret}), json!({nowhere: 0})] {
        for same_epoch in [false, true] {
            let known = if same_epoch { epoch.as_str() } else { "another" };
            let mut socket = eve.resume_socket("phone", known, &positions).await;
            let frames = until_done(&mut socket).await;
            let id = positions.as_object().unwrap().keys().next().unwrap();
            assert_eq!(frames, [json!({"type": "conversation:removed", "conversationId": id})]);
            epoch = socket.epoch();
        }
    }
    let mut socket = eve.socket("phone").await;
    let done = socket.call(json!({"type": "resume", "positions": {&room.id: 0}})).await;
    assert_eq!(done["type"], "resume:done");
    alice.post_message(&room, "another secret").await;
    socket.ping().await;
    assert!(!format!("{:?}", socket.frames).contains("secret"));
}

#[tokio::test]
async fn after_everything_restarted_a_resume_still_gives_the_exact_rest() {
    let mut natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (mut alice, mut bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut writer = alice.socket("phone").await;
    let epoch = writer.epoch();
    let mut seqs = writer.flood(&room, 300, "before").await;
    assert!(natter.stop().await.success());
    natter.start_again().await;
    alice.move_to(&natter.http);
    bob.move_to(&natter.http);
    let edit = json!({"type": "edit", "conversationId": room.id, "seq": seqs[0], "content": "edited"});
    let mut writer = alice.socket("phone").await;
    assert_eq!(writer.epoch(), epoch);
    seqs.push(writer.call(edit).await["seq"].as_u64().unwrap());
    seqs.push(alice.post_message(&room, "after").await);

    for known in [100, 299, 300, 301] {
        let mut socket = bob.resume_socket("phone", &epoch, &json!({&room.id: seqs[known]})).await;
        let missed = until_done(&mut socket).await;
        assert_eq!(chain_seqs(&missed, &room, seqs[known]), seqs[known + 1..]);
    }
}

#[tokio::test]
async fn a_new_socket_gets_everything_that_was_sent_after_its_welcome() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (begun, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    // Over HTTP: without a socket of the writer's the room comes and goes with the readers.
    let writing = async {
        while !enough.load(Ordering::SeqCst) {
            let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
            alice.post_message(&room, &number.to_string()).await;
        }
    };
    let connecting = async {
        for number in 0..25 {
            let device = format!("device-{number}");
            tokio::join!(
                expect_whole(&bob, &device, &room, &begun),
                expect_whole(&bob, &device, &room, &begun)
            );
        }
        enough.store(true, Ordering::SeqCst);
    };
    tokio::join!(writing, connecting);
    natter.expect_gaps_filled().await;
}

#[tokio::test]
async fn what_was_deleted_while_a_device_was_away_keeps_its_place_without_content() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let before = alice.post_message(&room, "secret before").await;
    let mut writer = alice.socket("phone").await;
    let epoch = writer.epoch();
    let deleted = alice.post_message(&room, "secret").await;
    for (target, text) in [(before, "secret edited"), (deleted, "secret again")] {
        alice.patch(&room.path(&format!("/messages/{target}")), &json!({"content": text})).await.ok(200);
    }
    // More than one answer of history lies between a message and its deletion.
    writer.flood(&room, 40, &"x".repeat(8 * 1024)).await;
    for target in [before, deleted] {
        alice.delete(&room.path(&format!("/messages/{target}"))).await.ok(204);
    }
    let mut socket = bob.resume_socket("phone", &epoch, &json!({&room.id: before})).await;
    let missed = until_done(&mut socket).await;
    assert_eq!(chain_seqs(&missed, &room, before).len(), 45);
    assert!(!format!("{missed:?}").contains("secret"), "a deleted text was sent");
    let message = &missed[0]["message"];
    assert_eq!((&missed[0]["seq"], &message["content"]), (&json!(deleted), &Value::Null));
    assert!(message["deletedAt"].is_string() && message["senderId"] == alice.id, "{message}");
    for edited in &missed[1..3] {
        assert_eq!((&edited["type"], &edited["content"]), (&json!("message:edited"), &Value::Null));
    }
    assert_eq!(types(&missed[43..]), ["message:deleted", "message:deleted"]);
}

/// History is read while repeats of the same events are on their way: each must be shown once.
#[tokio::test]
async fn a_socket_that_resumes_while_others_write_sees_no_event_twice_and_no_hole() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let epoch = bob.socket("phone").await.epoch();
    let enough = AtomicBool::new(false);
    let writing = async {
        while !enough.load(Ordering::SeqCst) {
            tokio::join!(alice.post_message(&room, "one"), alice.post_message(&room, "other"));
        }
    };
    let resuming = async {
        let mut held = room.head;
        for _ in 0..100 {
            let mut socket = bob.resume_socket("phone", &epoch, &json!({&room.id: held})).await;
            socket.wait_for("resume:done").await;
            for _ in 0..3 {
                socket.wait_for("message:new").await;
            }
            held = *chain_seqs(&socket.frames, &room, held).last().unwrap();
        }
        enough.store(true, Ordering::SeqCst);
    };
    tokio::join!(writing, resuming);
}

/// What was not begun at the welcome must come, and from the first event on there is no hole.
async fn expect_whole(user: &User, device: &str, room: &Room, begun: &AtomicU64) {
    let mut socket = user.socket(device).await;
    let before = begun.load(Ordering::SeqCst);
    let mut numbers: Vec<u64> = Vec::new();
    while numbers.last() < Some(&(before + 4)) {
        let frame = socket.wait_for("message:new").await;
        numbers.push(frame["message"]["content"].as_str().unwrap().parse().unwrap());
    }
    let first = socket.frames.iter().find(|frame| frame["prevSeq"].is_u64()).unwrap();
    chain_seqs(&socket.frames, room, first["prevSeq"].as_u64().unwrap());
    let heard: HashSet<u64> = numbers.into_iter().collect();
    assert!((before + 1..=before + 4).all(|number| heard.contains(&number)), "{before}: {heard:?}");
}
