//! Unread is a function of positions: random histories of one person's three devices on both edges, compared
//! with a model after every few steps.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::json;

use natter_testkit::{Cluster, Device, Room, User};

use crate::{
    reads::{mark, unread},
    shared,
};

const STEPS: usize = 200;
const COMPARE_EVERY: usize = 20;

/// `SplitMix64`: the same steps for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }
}

/// What must be so: messages of others after the mark that are not deleted.
#[derive(Default)]
struct Model {
    theirs: BTreeSet<u64>,
    /// All messages, and whether they are the reader's.
    all: BTreeMap<u64, bool>,
    read: u64,
}

impl Model {
    fn posted(&mut self, seq: u64, own: bool) {
        self.all.insert(seq, own);
        if own {
            self.read = self.read.max(seq);
        } else {
            self.theirs.insert(seq);
        }
    }

    fn unread(&self) -> usize {
        self.theirs.range(self.read + 1..).count().min(100)
    }
}

struct Conversation {
    reader: User,
    writer: User,
    room: Room,
    devices: Vec<Device>,
    model: Model,
    random: Random,
}

impl Conversation {
    async fn new(cluster: &Cluster, seed: u64) -> Self {
        let (writer, reader) = (cluster.user(0, "writer").await, cluster.user(1, "reader").await);
        let room = writer.group(&[&reader]).await;
        let mut devices = Vec::new();
        for number in 0..3 {
            devices.push(reader.at(number % 2).device(&format!("d{number}")).await);
        }
        Self { reader, writer, room, devices, model: Model::default(), random: Random(seed) }
    }

    async fn step(&mut self) {
        let device = self.random.below(3);
        let edge = self.random.below(2);
        match self.random.below(10) {
            0..=3 => {
                let seq = self.writer.at(edge).post_message(&self.room, "theirs").await;
                self.model.posted(seq, false);
            }
            4 => {
                let seq = self.devices[device].post(&self.room, "own").await;
                self.model.posted(seq, true);
            }
            5..=7 => self.read(device).await,
            8 => self.delete(edge).await,
            _ => {
                let name = format!("d{device}");
                let old = &self.devices[device];
                let positions = json!({self.room.id.clone(): self.room.head});
                let epoch = old.epoch();
                self.devices[device] = self.reader.at(edge).resume(&name, &epoch, &positions).await;
            }
        }
    }

    /// Somewhere: at a message, at no message, far behind, beyond the end.
    async fn read(&mut self, device: usize) {
        let seqs: Vec<u64> = self.model.all.keys().copied().collect();
        let head = self.reader.conversation(&self.room).await["headSeq"].as_u64().unwrap();
        let seq = match self.random.below(6) {
            0 => head + 7,
            1 => 0,
            _ if seqs.is_empty() => head,
            2 => seqs[seqs.len() - 1],
            _ => seqs[self.random.below(seqs.len())],
        };
        let ack = match self.random.below(2) {
            0 => mark(&mut self.devices[device], &self.room, seq).await,
            edge => self.reader.at(edge).mark_read(&self.room, seq).await,
        };
        self.model.read = self.model.read.max(seq.min(head));
        let unread = ack["unreadCount"].as_u64().unwrap();
        assert!(unread <= 100, "{ack}");
    }

    async fn delete(&mut self, edge: usize) {
        let theirs: Vec<u64> = self.model.theirs.iter().copied().collect();
        if theirs.is_empty() {
            return;
        }
        let target = theirs[self.random.below(theirs.len())];
        let path = self.room.path(&format!("/messages/{target}"));
        self.writer.at(edge).delete(&path).await.ok(204);
        self.model.theirs.remove(&target);
    }

    /// After everything has come everywhere, all see the same, and it is what the model says.
    async fn settle(&mut self, seed: u64, step: usize) {
        let expected = u64::try_from(self.model.unread()).unwrap();
        let counted = unread(&self.reader, &self.room).await;
        assert_eq!(counted, expected, "seed {seed:#x}, step {step}");
        let (room, read) = (&self.room, self.model.read);
        for ack in join_all(self.devices.iter_mut().map(|device| mark(device, room, read))).await {
            assert_eq!(ack["unreadCount"], expected, "seed {seed:#x}, step {step}: {ack}");
        }
    }
}

async fn agrees_with_the_model(seed: u64) {
    let cluster = shared().await;
    let mut conversation = Conversation::new(cluster, seed).await;
    for step in 1..=STEPS {
        conversation.step().await;
        if step % COMPARE_EVERY == 0 {
            conversation.settle(seed, step).await;
        }
    }
    let last = conversation.model.all.keys().copied().max().unwrap();
    let ack = mark(&mut conversation.devices[0], &conversation.room, last).await;
    assert_eq!(ack["unreadCount"], 0, "stuck: {ack}");
    assert_eq!(unread(&conversation.reader, &conversation.room).await, 0, "stuck");
}

#[tokio::test]
async fn random_histories_of_three_devices_agree_with_the_model() {
    tokio::join!(agrees_with_the_model(0x5EED_0001), agrees_with_the_model(0x5EED_0002));
}
