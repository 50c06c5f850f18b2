//! Who types is sent to those who joined, seldom, and leaves no trace.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::shared;
use natter_testkit::{Device, User, seq};

fn received(device: &Device, user: &User) -> Vec<bool> {
    let frames = device.frames_of("typing").into_iter().filter(|frame| frame["userId"] == user.id);
    frames.map(|frame| frame["isTyping"].as_bool().unwrap()).collect()
}

async fn receives(device: &Device, user: &User, expected: &[bool]) {
    device.wait_for(&format!("{expected:?}"), |_| (received(device, user) == expected).then_some(())).await;
}

#[tokio::test]
async fn typing_reaches_the_others_who_joined_and_expires_by_itself() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut near, mut far) = (bob.at(0).device("near").await, bob.device("far").await);
    let (mut silent, mut own) = (bob.device("did-not-join").await, alice.at(1).device("own").await);
    let mut typist = alice.device("typist").await;
    for device in [&mut near, &mut far, &mut own, &mut typist] {
        device.join(&room).await;
    }
    typist.set_typing(&room, true).await;
    receives(&near, &alice, &[true]).await;
    receives(&far, &alice, &[true]).await;
    let begun = Instant::now();
    receives(&near, &alice, &[true, false]).await;
    receives(&far, &alice, &[true, false]).await;
    let lasted = begun.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(9)).contains(&lasted), "it lasted {lasted:?}");
    for device in [&mut silent, &mut own, &mut typist] {
        device.ping().await;
        assert!(received(device, &alice).is_empty(), "not for this one");
    }
}

#[tokio::test]
async fn typing_that_ends_is_sent_at_once_but_not_to_who_left() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut viewer, mut gone) = (bob.device("viewer").await, bob.device("gone").await);
    let mut typist = alice.device("typist").await;
    for device in [&mut viewer, &mut gone, &mut typist] {
        device.join(&room).await;
    }
    assert_eq!(gone.call(room.frame("leave", &json!({}))).await["type"], "ack");
    let begun = Instant::now();
    typist.set_typing(&room, true).await;
    typist.set_typing(&room, false).await;
    receives(&viewer, &alice, &[true, false]).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "the end was not received, it expired");
    gone.ping().await;
    assert!(received(&gone, &alice).is_empty());
}

#[tokio::test]
async fn a_flood_of_typing_gives_few_frames_and_none_in_history() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut viewer, mut typist) = (bob.device("viewer").await, alice.device("typist").await);
    viewer.join(&room).await;
    typist.join(&room).await;
    for number in 0..100 {
        typist.set_typing(&room, number % 2 == 0).await;
    }
    typist.ping().await;
    let said = typist.post(&room, "done").await;
    viewer.wait_for_seq(&room, said).await;
    // Ends are cheap to repeat: they are received only to those to whom a beginning was.
    let count = received(&viewer, &alice).len();
    assert!((1..=10).contains(&count), "{count} frames of a flood of 100");
    assert_eq!(alice.history(&room).await.len(), 1);
    let replayed = bob.resume("later", &viewer.epoch(), &json!({room.id.clone(): room.head})).await;
    assert!(replayed.frames_of("typing").is_empty());
    assert_eq!(seq(&replayed.frames_of("message:new")[0]), said);
}

#[tokio::test]
async fn typing_is_forbidden_without_a_join_or_after_a_removal() {
    let cluster = shared().await;
    let (alice, bob, eve) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(1, "eve").await);
    let room = alice.group(&[&bob]).await;
    for user in [&alice, &eve] {
        let mut device = user.device("d").await;
        device.set_typing(&room, true).await;
        let error = device.wait_for_frame("an error", |frame| frame["type"] == "error").await;
        assert_eq!(error["code"], "forbidden", "{error}");
    }
    let mut viewer = alice.device("viewer").await;
    viewer.join(&room).await;
    let mut removed = bob.device("b").await;
    removed.join(&room).await;
    alice.delete(&room.path(&format!("/participants/{}", bob.id))).await.ok(204);
    removed.wait_for_frame("conversation:removed", |frame| frame["type"] == "conversation:removed").await;
    removed.set_typing(&room, true).await;
    removed.wait_for_frame("an error", |frame| frame["code"] == "forbidden").await;
    viewer.ping().await;
    assert!(received(&viewer, &bob).is_empty());
}
