//! Who is online is shown to those who joined a conversation with them, and to no one else.

use serde_json::{Value, json};

use crate::shared;
use natter_testkit::{Device, User, until};

/// The statuses of a user that a device received, each version above the one before.
pub fn statuses_received(device: &Device, user: &User) -> Vec<String> {
    let frames = device.frames_of("presence").into_iter().filter(|frame| frame["userId"] == user.id);
    let mut version = 0;
    let mut statuses = Vec::new();
    for frame in frames {
        let next = frame["version"].as_u64().unwrap();
        assert!(next > version, "a version that does not rise: {frame}");
        version = next;
        statuses.push(frame["status"].as_str().unwrap().to_owned());
    }
    statuses
}

pub async fn is_shown(device: &Device, user: &User, statuses: &[&str]) {
    until(&format!("{statuses:?} is received"), async || statuses_received(device, user) == statuses).await;
}

#[tokio::test]
async fn presence_changes_reach_those_who_joined_on_either_edge() {
    let cluster = shared().await;
    let (alice, bob, carol) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(0, "carol").await);
    let room = alice.group(&[&bob, &carol]).await;
    let (mut near, mut far, silent) =
        (alice.device("a").await, alice.at(1).device("b").await, alice.device("did-not-join").await);
    let mut own = alice.device("own").await;
    near.join(&room).await;
    far.join(&room).await;
    own.join(&room).await;

    let phone = bob.device("phone").await;
    for viewer in [&near, &far] {
        is_shown(viewer, &bob, &["online"]).await;
    }
    // Who joins later receives at once who is online.
    let online = carol.device("c").await.join(&room).await["online"].take();
    for user in [&alice, &bob] {
        assert!(online.as_array().unwrap().contains(&json!(user.id)), "{online}");
    }

    drop(phone);
    for viewer in [&near, &far] {
        is_shown(viewer, &bob, &["online", "offline"]).await;
    }
    let last = near.frames_of("presence").pop().unwrap();
    assert!(last["lastSeenAt"].is_string(), "{last}");
    assert!(silent.frames_of("presence").is_empty(), "received without a join");
    assert!(statuses_received(&own, &alice).is_empty(), "received of oneself");
}

#[tokio::test]
async fn offline_is_sent_when_the_last_device_is_gone_and_not_before() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut viewer = alice.device("viewer").await;
    viewer.join(&room).await;
    let (phone, tablet, laptop) = (
        bob.device("phone").await,
        bob.log_in().await.at(0).device("tablet").await,
        bob.device("laptop").await,
    );
    is_shown(&viewer, &bob, &["online"]).await;
    drop(phone);
    drop(tablet);
    // That another user goes offline is received after both, so theirs was not sent.
    let carol = cluster.user(1, "carol").await;
    let both = alice.group(&[&carol]).await;
    viewer.join(&both).await;
    let other = carol.device("c").await;
    is_shown(&viewer, &carol, &["online"]).await;
    drop(other);
    is_shown(&viewer, &carol, &["online", "offline"]).await;
    assert_eq!(alice.status_of(&bob).await["status"], "online");
    assert_eq!(statuses_received(&viewer, &bob), ["online"]);
    drop(laptop);
    is_shown(&viewer, &bob, &["online", "offline"]).await;
    assert_eq!(alice.at(1).status_of(&bob).await["status"], "offline");
}

#[tokio::test]
async fn a_heartbeat_keeps_a_user_online_for_one_ttl_and_is_reported() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut viewer = alice.device("viewer").await;
    viewer.join(&room).await;
    bob.post("/api/presence/heartbeat", &json!({})).await.ok(204);
    is_shown(&viewer, &bob, &["online"]).await;
    assert_eq!(alice.at(1).status_of(&bob).await["status"], "online");
    is_shown(&viewer, &bob, &["online", "offline"]).await;
}

#[tokio::test]
async fn look_ups_answer_in_the_order_asked_on_either_edge() {
    let cluster = shared().await;
    let (alice, bob, carol, eve) = (
        cluster.user(0, "alice").await,
        cluster.user(1, "bob").await,
        cluster.user(0, "carol").await,
        cluster.user(1, "eve").await,
    );
    alice.group(&[&bob, &carol]).await;
    let _devices = (bob.device("b").await, eve.device("e").await);
    until("bob is online", async || alice.status_of(&bob).await["status"] == "online").await;
    let ask = json!({"userIds": [carol.id, eve.id, bob.id, alice.id]});
    for edge in [0, 1] {
        let found = alice.at(edge).post("/api/presence/status/batch", &ask).await.ok(200);
        let items = found["items"].as_array().unwrap();
        let statuses: Vec<(&Value, &Value)> = items.iter().map(|i| (&i["userId"], &i["status"])).collect();
        let expected = [(&carol, "offline"), (&eve, "offline"), (&bob, "online"), (&alice, "offline")];
        for (found, (user, status)) in statuses.iter().zip(expected) {
            assert_eq!((found.0, found.1), (&json!(user.id), &json!(status)));
        }
        // A stranger is offline and was never seen, though she is online.
        assert_eq!(items[1]["lastSeenAt"], Value::Null);
        assert!(items[2]["lastSeenAt"].is_string());
    }
    let too_many = json!({"userIds": vec![bob.id.clone(); 201]});
    assert_eq!(alice.post("/api/presence/status/batch", &too_many).await.code(), (422, "invalid"));
}

#[tokio::test]
async fn strangers_see_no_presence_until_they_share_a_conversation() {
    let cluster = shared().await;
    let (alice, bob, eve) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(0, "eve").await);
    let (room, other) = (alice.group(&[&bob]).await, eve.group(&[&alice]).await);
    let (mut friend, mut stranger) = (alice.device("friend").await, eve.device("stranger").await);
    friend.join(&room).await;
    stranger.join(&other).await;
    let phone = bob.device("phone").await;
    is_shown(&friend, &bob, &["online"]).await;
    stranger.ping().await;
    assert!(statuses_received(&stranger, &bob).is_empty());
    let seen = eve.status_of(&bob).await;
    assert_eq!((&seen["status"], &seen["lastSeenAt"]), (&json!("offline"), &Value::Null));
    let shared = eve.group(&[&bob]).await;
    assert_eq!(eve.status_of(&bob).await["status"], "online");
    stranger.wait_for_frame("conversation:added", |frame| shared.has(frame)).await;
    stranger.join(&shared).await;
    drop(phone);
    is_shown(&stranger, &bob, &["offline"]).await;
}

#[tokio::test]
async fn a_new_member_who_is_online_is_shown_to_those_who_joined() {
    let cluster = shared().await;
    let (alice, bob, carol) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(0, "carol").await);
    let (room, other) = (alice.group(&[&carol]).await, carol.group(&[&bob]).await);
    let (mut viewer, mut knows) = (alice.device("viewer").await, carol.device("knows").await);
    viewer.join(&room).await;
    knows.join(&other).await;
    let _phone = bob.device("phone").await;
    is_shown(&knows, &bob, &["online"]).await;
    alice.post(&room.path("/participants"), &json!({"userIds": [bob.id]})).await.ok(200);
    is_shown(&viewer, &bob, &["online"]).await;
}
