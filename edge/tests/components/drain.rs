//! What clients see of a node that stops: they leave one after the other, with everything they were promised.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use natter_runtime::shared_state::SharedState;
use natter_schemas::id::UserId;
use natter_testkit::until;
use serde_json::{Value, json};

use crate::harness::{Edge, Socket};

const SOCKETS: usize = 400;
/// What 400 sockets need at 200/s.
const SPREAD: Duration = Duration::from_secs(2);

async fn draining(most: Duration) -> Edge {
    Edge::start_with(|config| config.drain_time = most).await
}

#[tokio::test]
async fn a_drain_sends_goodbye_and_ends_every_task() {
    let edge = Edge::start().await;
    let mut socket = edge.socket(UserId::fresh()).await;
    let (drained, goodbye) = tokio::join!(edge.drain(), async {
        let goodbye = socket.expect("goodbye").await;
        assert_eq!(socket.next().await, None);
        drop(socket);
        goodbye
    });
    assert!(drained);
    assert_eq!(goodbye["reason"], "restarting");
}

#[tokio::test]
async fn sockets_leave_one_after_the_other_and_get_messages_until_then() {
    let edge = draining(Duration::from_mins(1)).await;
    let users: Vec<UserId> = (0..SOCKETS).map(|_| UserId::fresh()).collect();
    let conversation = edge.conversation(&users);
    let mut sockets = Vec::new();
    for user in &users {
        sockets.push(tokio::spawn(leave(edge.socket(*user).await)));
    }
    edge.begin_drain();
    until("half of the sockets have left", async || edge.app.sockets.count() < SOCKETS / 2).await;
    edge.store(conversation, "said while the node drains").await;
    let left = join_all(sockets)
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .expect("each left in an orderly way");

    let with_message = left.iter().filter(|(_, message, _)| *message).count();
    assert!(
        (1..SOCKETS / 2 + SOCKETS / 4).contains(&with_message),
        "{with_message} of {SOCKETS} got the message"
    );
    let mut times: Vec<Instant> = left.iter().map(|(at, ..)| *at).collect();
    times.sort();
    let took = times[SOCKETS - 1] - times[0];
    assert!(took > SPREAD / 2, "all left within {took:?}");
    let burst = times.windows(SOCKETS / 2).map(|half| half[SOCKETS / 2 - 1] - half[0]).min();
    assert!(burst > Some(SPREAD / 8), "half of them left within {burst:?}");
    let mut waits: Vec<u64> = left.iter().map(|(.., wait)| *wait).collect();
    waits.sort_unstable();
    assert!(waits[0] >= 200 && waits[SOCKETS - 1] <= 1_200, "{waits:?}");
    waits.dedup();
    assert!(waits.len() > SOCKETS / 8, "they come back at the same moments: {waits:?}");
}

/// When its goodbye came, whether a message came before, and when it may come back.
async fn leave(mut socket: Socket) -> (Instant, bool, u64) {
    let mut message = false;
    loop {
        let frame = socket.next().await.expect("no end without goodbye");
        match frame["type"].as_str() {
            Some("goodbye") => {
                let at = Instant::now();
                let wait = frame["retryAfterMs"].as_u64().expect("milliseconds");
                assert_eq!(socket.closed().await, 1012);
                return (at, message, wait);
            }
            Some("message:new") => message = true,
            _ => {}
        }
    }
}

/// A member's socket with a send that has no answer yet.
async fn with_a_send_under_way(edge: &Edge, user: UserId) -> Socket {
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    edge.services.stall_lookups(true);
    let lookups = edge.services.lookups();
    let send = json!({
        "type": "send", "id": 1, "conversationId": conversation, "content": "x", "clientId": "c", "retry": true,
    });
    socket.send(&send).await;
    until("the send is under way", async || edge.services.lookups() > lookups).await;
    socket
}

#[tokio::test]
async fn a_send_under_way_is_acked_between_goodbye_and_the_close() {
    let edge = draining(Duration::ZERO).await;
    let mut socket = with_a_send_under_way(&edge, UserId::fresh()).await;
    edge.begin_drain();
    socket.expect("goodbye").await;
    edge.services.stall_lookups(false);
    let mut frames: Vec<Value> = Vec::new();
    while let Some(frame) = socket.next().await {
        frames.push(frame);
    }
    assert!(frames.iter().any(|frame| frame["type"] == "ack" && frame["id"] == 1), "{frames:?}");
}

#[tokio::test]
async fn a_node_that_drains_is_not_ready_and_takes_no_new_socket() {
    let edge = draining(Duration::ZERO).await;
    let mut waiting = Socket::connect(edge.address()).await;
    let mut socket = with_a_send_under_way(&edge, UserId::fresh()).await;
    edge.begin_drain();
    socket.expect("goodbye").await;
    // The drain waits for the answer to the send.
    let ready = edge.http("GET", "/health/ready", "").await;
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("\"draining\""), "{ready}");
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let refused = edge.http("GET", "/ws", upgrade).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after"), "{refused}");
    let live = edge.kept_alive("/health/live").await;
    assert!(live.starts_with("HTTP/1.1 200") && live.contains("connection: close"), "{live}");
    assert_eq!(waiting.closed().await, 1012, "a socket without hello");
}

#[tokio::test]
async fn users_stay_online_while_their_sockets_change_the_node() {
    let edge = draining(Duration::ZERO).await;
    let user = UserId::fresh();
    let mut moves = edge.socket(user).await;
    let mut stays = with_a_send_under_way(&edge, UserId::fresh()).await;
    until("its user is online", async || is_online(&edge, user).await).await;
    edge.begin_drain();
    moves.expect("goodbye").await;
    // Longer than an orderly close takes to end a session: the other socket gets no answer, and its client does not end
    // the connection.
    stays.expect("goodbye").await;
    assert_eq!(stays.closed().await, 1012);
    until("the sockets have left", async || edge.app.lifecycle.stop().is_cancelled()).await;
    assert!(is_online(&edge, user).await, "taken offline by the drain");
}

async fn is_online(edge: &Edge, user: UserId) -> bool {
    edge.shared.presence(&[user]).await.expect("it answers")[0].online
}
