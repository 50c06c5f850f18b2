//! A deployment, and hands in its log.

use std::{process::Output, time::Duration};

use natter_nats::{
    async_nats::jetstream,
    connect::{Address, Purpose, connect},
    log::LogReader,
    publisher::Publisher,
    subject,
};
use natter_schemas::{
    event::{Body, Event, Kind, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, UserId},
};
use rusqlite::Connection;
use serde_json::Value;

use crate::NATTER;
use natter_testkit::{Cluster, Process, Room, User, until};

pub const PARTITIONS: u16 = 4;

pub struct OperatorCluster {
    pub cluster: Cluster,
    pub publisher: Publisher,
    pub log: LogReader,
    workers: Vec<Process>,
}

/// What a command output, and its status.
pub struct CommandOutput {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl CommandOutput {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    pub fn failed(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        self.out
    }

    /// What it ended with.
    #[track_caller]
    pub fn error(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        self.err
    }

    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    #[track_caller]
    pub fn json_lines(self) -> Vec<Value> {
        self.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl OperatorCluster {
    pub async fn start() -> Self {
        let cluster = Cluster::start(NATTER).await;
        let (publisher, log) = bus(&cluster.nats_url()).await;
        Self { cluster, publisher, log, workers: Vec::new() }
    }

    pub fn natter(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(&self.cluster.run(arguments, &[]))
    }

    pub async fn two(&self) -> (User, User) {
        (self.cluster.user(0, "alice").await, self.cluster.user(1, "bob").await)
    }

    pub fn store(&self) -> Connection {
        let store = Connection::open(self.cluster.database()).unwrap();
        store.busy_timeout(Duration::from_secs(30)).unwrap();
        store
    }

    pub fn kill_workers(&mut self) {
        for number in 0..2 {
            self.cluster.kill_worker(number);
        }
    }

    /// One more; it works when it does.
    pub fn start_worker(&mut self) {
        self.start_worker_with(&[]);
    }

    pub fn start_worker_with(&mut self, settings: &[(&str, &str)]) {
        let worker = self.cluster.spawn("worker", settings);
        self.workers.push(worker);
    }

    /// Publishes bytes under the subject of a conversation.
    pub async fn publish(&self, p: Partition, c: ConversationId, bytes: Vec<u8>) -> Seq {
        let id = EventId::fresh().to_string();
        self.publisher.publish(subject::conv(p, c), &id, bytes.into()).await.unwrap().seq
    }

    /// Everything in the log is acked by the persister.
    pub async fn settled(&self) {
        settled(&self.log).await;
    }

    pub async fn last_seq(&self, p: Partition) -> Seq {
        self.log.last_seqs().await.unwrap()[usize::from(p.0)]
    }

    pub async fn parked(&self, count: usize) -> Vec<Value> {
        let mut all = Vec::new();
        until(&format!("{count} events are parked"), async || {
            all = self.natter(&["parked", "list", "--json"]).json_lines();
            all.len() >= count
        })
        .await;
        all
    }

    /// `natter verify` by partition.
    pub fn verified(&self) -> (Option<i32>, Vec<Value>) {
        let output = self.natter(&["verify", "--json"]);
        let code = output.code;
        let verdict = output.json();
        assert_eq!(verdict["equal"], code == Some(0), "{verdict}");
        (code, verdict["partitions"].as_array().unwrap().clone())
    }

    #[track_caller]
    pub fn assert_equal(&self) {
        let (code, partitions) = self.verified();
        assert_eq!(code, Some(0), "{partitions:#?}");
        for p in partitions {
            assert_eq!(p["logDigest"], p["storeDigest"], "{p}");
        }
    }
}

pub async fn bus(url: &str) -> (Publisher, LogReader) {
    let address = Address::new(url.to_owned());
    let client = connect(&address, Purpose::Work).await.unwrap();
    (Publisher::new(client.clone()), LogReader::new(jetstream::new(client), PARTITIONS))
}

pub async fn settled(log: &LogReader) {
    until("everything is acked by the persister", async || {
        let last = log.last_seqs().await.unwrap();
        log.floors().await.unwrap().iter().zip(&last).all(|(floor, last)| floor >= last)
    })
    .await;
}

pub fn id(room: &Room) -> ConversationId {
    room.id.parse().unwrap()
}

pub fn partition(room: &Room) -> Partition {
    Partition::of(id(room), PARTITIONS)
}

pub fn posted(author: &User, room: &Room, text: &str) -> Event {
    Event {
        id: EventId::fresh(),
        conversation: id(room),
        author: author.id.parse::<UserId>().unwrap(),
        device: "by hand".to_owned(),
        client_id: None,
        at: Timestamp::now(),
        kind: Kind::Posted { body: Body::Plain(text.to_owned()), reply_to: None },
        traceparent: None,
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
