//! Three servers with three copies, of which some cannot write.

use std::time::Duration;

use bytes::Bytes;
use natter_nats::{
    async_nats::jetstream,
    publisher::{PublishError, Publisher},
    subject,
    topology::{Topology, log_stream},
};
use natter_schemas::id::{ConversationId, EventId, Partition, Seq};
use natter_testkit::{NatsCluster, SmallDisk, leader_of, small, until, until_some};
use tokio::time::{Instant, sleep};

const REFUSED_WITHIN: Duration = Duration::from_secs(3);
const STORED_WITHIN: Duration = Duration::from_secs(10);
/// Of JetStream's files and what is published in between.
const LEFT: u64 = 2 << 20;

struct FullCluster {
    // Dropped before the disks, onto which it writes.
    cluster: NatsCluster,
    disks: [SmallDisk; 3],
    js: jetstream::Context,
    publisher: Publisher,
    conversation: ConversationId,
    leader: usize,
}

impl FullCluster {
    async fn start() -> Self {
        let disks = [64; 3].map(SmallDisk::mount);
        let cluster = NatsCluster::in_folders(disks.each_ref().map(SmallDisk::path));
        let js = cluster.provision(&Topology { replicas: 3, ..small(1) }).await;
        let publisher = Publisher::new(cluster.client().await);
        let leader = leader_of(&js, &log_stream(Partition(0))).await;
        Self { cluster, disks, js, publisher, conversation: ConversationId::fresh(), leader }
    }

    async fn publish(&self, bytes: usize) -> (Result<Seq, PublishError>, Duration) {
        let began = Instant::now();
        let subject = subject::conv(Partition(0), self.conversation);
        let payload = Bytes::from(vec![7; bytes]);
        let stored = self.publisher.publish(subject, &EventId::fresh().to_string(), payload).await;
        (stored.map(|stored| stored.seq), began.elapsed())
    }

    /// Publishes until the first refusal; the seqs that were acked.
    async fn fill(&self, nodes: &[usize]) -> Vec<Seq> {
        for node in nodes {
            self.disks[*node].fill(LEFT);
        }
        let mut acked = Vec::new();
        loop {
            let (stored, took) = self.publish(16 * 1024).await;
            match stored {
                Ok(seq) => acked.push(seq),
                Err(error) => {
                    assert_eq!(error, PublishError::NotWritten);
                    assert!(took < REFUSED_WITHIN, "refused after {took:?}");
                    return acked;
                }
            }
            assert!(acked.len() < 2_000, "the disks never fill");
        }
    }

    /// What the run-book says.
    async fn make_room_and_restart(&mut self, nodes: &[usize]) -> Seq {
        let room = Instant::now();
        for node in nodes {
            self.disks[*node].make_room();
            self.cluster.restart(*node);
        }
        loop {
            let error = match self.publish(16).await.0 {
                Ok(seq) => {
                    assert!(room.elapsed() < STORED_WITHIN, "stored after {:?}", room.elapsed());
                    return seq;
                }
                Err(error) => error,
            };
            assert!(room.elapsed() < STORED_WITHIN, "still refused: {error}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn expect_kept(&self, acked: &[Seq]) {
        let stream = self.js.get_stream_no_info(log_stream(Partition(0))).await.unwrap();
        for seq in acked {
            // A server that has just been started may not know yet who leads.
            let what = format!("{seq}, which was acked, can be read");
            until(&what, async || stream.get_raw_message(*seq).await.is_ok()).await;
        }
    }
}

async fn refused_until_restarted(choose: impl Fn(usize) -> [usize; 2]) {
    let mut log = FullCluster::start().await;
    let full = choose(log.leader);
    assert!(log.publisher.health().is_up());
    let acked = log.fill(&full).await;
    assert!(!acked.is_empty() && !log.publisher.health().is_up());
    // Many at once no longer than one alone, and most of them at once.
    let crowd = futures_util::future::join_all((0..100).map(|_| log.publish(16))).await;
    for (stored, took) in &crowd {
        assert_eq!(*stored, Err(PublishError::NotWritten));
        assert!(*took < REFUSED_WITHIN, "refused after {took:?}");
    }
    assert!(crowd.iter().filter(|(_, took)| *took < Duration::from_millis(500)).count() > 90);

    // Room alone is not enough: these servers need a restart. A restart alone is not, either.
    log.cluster.restart(full[0]);
    let (stored, took) = log.publish(16).await;
    assert_eq!(stored, Err(PublishError::NotWritten));
    assert!(took < REFUSED_WITHIN, "refused after {took:?}");

    let seq = log.make_room_and_restart(&full).await;
    assert!(seq > *acked.last().unwrap());
    assert!(log.publisher.health().is_up());
    log.expect_kept(&acked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_followers_are_full_refuses_in_time() {
    refused_until_restarted(|leader| [(leader + 1) % 3, (leader + 2) % 3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_a_leader_for_full_disks_refuses_in_time() {
    refused_until_restarted(|leader| [leader, (leader + 1) % 3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_full_disk_of_three_the_others_store_on() {
    let log = FullCluster::start().await;
    log.disks[log.leader].fill(LEFT);
    let (mut acked, mut longest) = (Vec::new(), Duration::ZERO);
    // Twice what is left.
    while acked.len() < 256 {
        let since = Instant::now();
        // Refused, if at all, for as long as the others need to elect a leader.
        acked.push(until_some("it is stored", async || log.publish(16 * 1024).await.0.ok()).await);
        longest = longest.max(since.elapsed());
    }
    assert!(longest < STORED_WITHIN, "the others stored nothing for {longest:?}");
    assert_ne!(leader_of(&log.js, &log_stream(Partition(0))).await, log.leader);
    log.expect_kept(&acked).await;
}
