//! Two people: one writes ten messages a second and reads pages, the other is connected to the other edge.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use natter_testkit::{Answer, Device, Room, Socket, User, until};
use serde_json::json;
use tokio::{sync::Mutex, task::JoinSet, time::interval};

use crate::deployment::Deployment;

const EVERY: Duration = Duration::from_millis(100);
/// While nothing is answered: a writer each.
const WRITERS: u64 = 5;
/// A page for so many messages of a writer.
const PAGE: u64 = 5;

pub struct Traffic {
    pub alice: User,
    pub bob: User,
    pub room: Room,
    /// Open, and read by no one.
    pub slow_readers: Mutex<Vec<Socket>>,
    device: Device,
    // They end with it.
    _writers: JoinSet<()>,
}

impl Traffic {
    pub async fn start(deployment: &Deployment) -> Self {
        let (alice, bob) = (deployment.user(0, "alice").await, deployment.user(1, "bob").await);
        let room = alice.group(&[&bob]).await;
        let device = bob.device("phone").await;
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            writers.spawn(write(alice.clone(), room.id.clone()));
        }
        Self { alice, bob, room, slow_readers: Mutex::default(), device, _writers: writers }
    }

    pub async fn post(&self, content: &str) -> Answer {
        self.alice.post("/api/messages", &message(&self.room.id, content)).await
    }

    /// What is sent now is acked and arrives.
    pub async fn goes_on(&self) {
        let mut last = None;
        until("a message is acked", async || {
            let answer = self.post("after all faults").await;
            last = answer.body["seq"].as_u64().filter(|_| answer.status == 201);
            last.is_some()
        })
        .await;
        self.device.wait_for_seq(&self.room, last.unwrap()).await;
    }
}

fn message(room: &str, content: &str) -> serde_json::Value {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Relaxed);
    json!({"conversationId": room, "content": content, "clientId": format!("m-{number}")})
}

/// Whatever becomes of it: the one that is not acked is a fault's.
async fn write(alice: User, room: String) {
    let mut turns = interval(EVERY * u32::try_from(WRITERS).unwrap());
    for turn in 0.. {
        turns.tick().await;
        let _ = alice.post("/api/messages", &message(&room, "hello")).await;
        if turn % PAGE == 0 {
            let _ = alice.get(&format!("/api/messages?conversationId={room}")).await;
        }
    }
}
