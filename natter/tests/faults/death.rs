//! kill -9 of nats-server, and of everything.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use natter_testkit::{DevServer, Received, Room, Socket, User, chain_seqs, seq, until};

use crate::NATTER;

/// Sends one message after the other and keeps the acks.
struct Sender<'a> {
    user: &'a User,
    room: &'a Room,
    socket: Socket,
    /// Frames of sockets that were closed under it.
    earlier: Vec<Value>,
    acked: BTreeMap<String, (String, u64)>,
}

impl<'a> Sender<'a> {
    async fn new(user: &'a User, room: &'a Room) -> Self {
        let socket = user.socket(&user.name).await;
        Self { user, room, socket, earlier: Vec::new(), acked: BTreeMap::new() }
    }

    async fn send_on(&mut self, enough: &AtomicBool, acks: &AtomicUsize) {
        for number in 0.. {
            if enough.load(Ordering::SeqCst) {
                return;
            }
            self.send_until_acked(&format!("{} {number}", self.user.name)).await;
            acks.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Refused or cut off, it is sent again under the same id.
    async fn send_until_acked(&mut self, client_id: &str) {
        let client_id = client_id.replace(' ', "-");
        let mut frame = self.room.message_frame(&client_id, &client_id);
        let mut id = self.socket.request(frame.clone()).await;
        loop {
            match self.socket.next().await {
                Received::Frame(answer) if answer["id"] != id => {}
                Received::Frame(answer) if answer["type"] == "ack" => {
                    let message = answer["messageId"].as_str().unwrap().to_owned();
                    self.acked.insert(client_id, (message, seq(&answer)));
                    return;
                }
                Received::Frame(answer) => {
                    assert_eq!(answer["code"], "unavailable", "{answer}");
                    frame["retry"] = json!(true);
                    id = self.socket.request(frame.clone()).await;
                }
                Received::Closed(code) => {
                    assert_eq!(code, 1012);
                    self.reconnect().await;
                    frame["retry"] = json!(true);
                    id = self.socket.request(frame.clone()).await;
                }
            }
        }
    }

    async fn reconnect(&mut self) {
        let (epoch, last) = (self.socket.epoch(), self.seqs().last().copied().unwrap_or(self.room.head));
        self.earlier.append(&mut self.socket.frames);
        until("ready again", async || self.user.get("/health/ready").await.status == 200).await;
        self.socket = self.user.resume_socket(&self.user.name, &epoch, &json!({&self.room.id: last})).await;
    }

    fn seqs(&self) -> Vec<u64> {
        let all: Vec<Value> = self.earlier.iter().chain(&self.socket.frames).cloned().collect();
        chain_seqs(&all, self.room, self.room.head)
    }

    /// History has what was acked once, under its seq; the socket received all of it.
    async fn compare(&mut self, history: &[Value]) {
        for (client_id, (message, at)) in &self.acked {
            let kept: Vec<_> = history.iter().filter(|m| m["content"] == *client_id).collect();
            assert_eq!(kept.len(), 1, "{client_id} was acked at {at}, history has {kept:?}");
            assert_eq!((kept[0]["id"].as_str(), seq(kept[0])), (Some(message.as_str()), *at));
        }
        self.socket.wait_for_seq(self.room, seq(history.last().unwrap())).await;
        let received = self.seqs();
        let messages: Vec<u64> = history.iter().map(seq).collect();
        assert_eq!(received, messages);
    }
}

#[tokio::test]
async fn nats_server_killed_while_two_people_write_costs_no_message_and_no_socket() {
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut talkers = [Sender::new(&alice, &room).await, Sender::new(&bob, &room).await];
    let (enough, acks) = (AtomicBool::new(false), AtomicUsize::new(0));
    let [first, second] = &mut talkers;
    let faults = async {
        at_least(&acks, 100).await;
        for _ in 0..2 {
            let before = natter.nats_pid();
            natter.signal_nats(Signal::SIGKILL);
            until("nats-server is started again", async || {
                natter.nats_pid().is_some() && natter.nats_pid() != before
            })
            .await;
            at_least(&acks, acks.load(Ordering::SeqCst) + 100).await;
        }
        enough.store(true, Ordering::SeqCst);
    };
    tokio::join!(first.send_on(&enough, &acks), second.send_on(&enough, &acks), faults);

    let history = alice.history(&room).await;
    assert!(history.len() >= talkers.iter().map(|t| t.acked.len()).sum());
    for talker in &mut talkers {
        talker.compare(&history).await;
    }
    natter.expect_gaps_filled().await;
}

async fn at_least(acks: &AtomicUsize, count: usize) {
    until("messages are acked", async || acks.load(Ordering::SeqCst) >= count).await;
}

#[tokio::test]
async fn natter_killed_takes_its_nats_server_along_and_comes_back_with_everything() {
    let mut natter = DevServer::start(NATTER, &[]).await;
    let (mut alice, mut bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut socket = alice.socket("phone").await;
    socket.flood(&room, 150, "before").await;
    let once = alice.post_once("key-1", &room.id, "said once").await.ok(201);
    let before = alice.history(&room).await;
    assert_eq!(before.len(), 151);

    natter.kill9().await;
    assert_eq!(socket.closed().await, 0);
    natter.start_again().await;
    alice.move_to(&natter.http);
    bob.move_to(&natter.http);

    // The tokens are those of before.
    assert_eq!(alice.get("/api/me").await.ok(200)["id"], *alice.id);
    assert_eq!(alice.history(&room).await, before);
    assert_eq!(bob.history(&room).await, before);
    bob.refresh().await;
    // So are the names of what was sent.
    let mut again = alice.socket("phone").await;
    let mut frame = room.message_frame("flood-149", "before");
    frame["retry"] = json!(true);
    let ack = again.call(frame).await;
    assert_eq!((&ack["duplicate"], &ack["messageId"]), (&json!(true), &before[149]["id"]), "{ack}");
    assert_eq!(alice.post_once("key-1", &room.id, "said once").await.ok(201)["id"], once["id"]);
    assert_eq!(alice.history(&room).await.len(), 151);
    again.wait_for_seq(&room, bob.post_message(&room, "after").await).await;
}
