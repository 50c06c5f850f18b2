//! A reader that never reads.

use futures_util::future::join_all;
use serde_json::json;

use natter_testkit::{DevServer, Received, Room, Socket, User, chain_seqs, until};

use crate::NATTER;

const READERS: usize = 20;
const MESSAGES: usize = 1_000;
/// Unsent to 20 readers, 1,000 messages of 8 KiB would be 160 MiB.
const GROWTH_KIB: u64 = 96 * 1024;

#[tokio::test]
async fn a_socket_that_never_reads_is_closed_and_others_miss_nothing() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let carl = User::register_as(&natter.http, "carl").await;
    let room = alice.group(&[&bob, &carl]).await;
    let (mut writer, mut neighbour) = (alice.socket("phone").await, bob.socket("phone").await);
    let hello = json!({"type": "hello", "token": carl.token});
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(Socket::narrow(carl.address(), &hello).await);
    }
    let before = natter.memory_kib("VmRSS");

    let last = room.head + MESSAGES as u64;
    let writing = async {
        let acked = writer.flood(&room, MESSAGES, &"x".repeat(8 * 1024)).await;
        assert_eq!(acked.len(), MESSAGES);
        acked.into_iter().max().unwrap()
    };
    let reading = async {
        while chain_length(&neighbour, &room) < MESSAGES {
            neighbour.frame().await;
        }
    };
    let waking = async {
        until("every slow reader is closed", async || {
            natter.metric("natter_slow_readers_total").await >= f64::from(u32::try_from(READERS).unwrap())
        })
        .await;
        join_all(readers.iter_mut().map(|reader| read_the_rest(reader, &room))).await
    };
    let (last_acked, (), rests) = tokio::join!(writing, reading, waking);

    assert!(last_acked >= last);
    assert_eq!(chain_seqs(&neighbour.frames, &room, room.head).last(), Some(&last_acked));
    for rest in rests {
        assert!(!rest.is_empty() && rest.len() < MESSAGES, "{} of {MESSAGES}", rest.len());
    }
    let grown = natter.memory_kib("VmHWM").saturating_sub(before);
    assert!(grown < GROWTH_KIB, "{grown} KiB more at the peak");
    natter.expect_gaps_filled().await;
}

fn chain_length(socket: &Socket, room: &Room) -> usize {
    socket
        .frames
        .iter()
        .filter(|frame| frame["type"] == "message:new" && frame["conversationId"] == room.id)
        .count()
}

/// Everything that was under way is an unbroken beginning; then the close says why.
async fn read_the_rest(reader: &mut Socket, room: &Room) -> Vec<u64> {
    assert_eq!(reader.closed().await, 4008);
    chain_seqs(&reader.frames, room, room.head)
}

/// As many as one user may have.
const IDLE_READERS: usize = 50;

#[tokio::test]
async fn sockets_that_do_not_read_their_resume_cost_little_and_are_closed() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut writer = alice.socket("phone").await;
    writer.flood(&room, 499, &"x".repeat(8 * 1024)).await;
    let resume = json!({"epoch": writer.epoch(), "positions": {&room.id: room.head}});
    let hello = json!({"type": "hello", "token": bob.token, "resume": resume});
    // One that reads gets all 4 MiB, and warms what is shared.
    let mut reader = Socket::hello(bob.address(), &hello).await;
    reader.wait_for("resume:done").await;
    assert_eq!(chain_length(&reader, &room), 499);
    drop(reader);

    natter.reset_peak_memory();
    let before = natter.memory_kib("VmRSS");
    let mut readers = Vec::new();
    for _ in 0..IDLE_READERS {
        let mut reader = Socket::narrow(bob.address(), &hello).await;
        reader.wait_for("message:new").await;
        readers.push(reader);
    }
    until("every reader without progress is closed", async || {
        natter.metric("natter_slow_readers_total").await >= f64::from(u32::try_from(IDLE_READERS).unwrap())
    })
    .await;
    let grown = natter.memory_kib("VmHWM").saturating_sub(before);
    assert!(grown <= 64 * 1024, "{grown} KiB more at the peak");
    // The last: when these are closed, what waits for the first ones may have been given up.
    for reader in readers.iter_mut().rev().take(3) {
        let rest = read_the_rest(reader, &room).await;
        assert!(rest.len() < 499, "{}", rest.len());
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_closed_with_4009() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let mut socket = alice.socket("phone").await;
    // Pongs are written by the next read, and there is none until the server has given up.
    until("the server closes the socket", async || natter.metric("natter_closed_total").await >= 1.0).await;
    let received = socket.next().await;
    assert_eq!(received, Received::Closed(4009));
}
