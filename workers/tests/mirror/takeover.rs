//! One worker after the other: the topic does not show where they changed.

use natter_nats::{async_nats::jetstream, connect::Purpose, topology};
use natter_schemas::id::{Partition, UserId};
use natter_testkit::until_some;
use natter_workers::{Dependencies, Job};
use tokio::runtime::Runtime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    harness::{event, posted},
    topic::{Topic, room, rooms},
};

/// A mirror on threads and a connection of its own, as in another process.
struct Another {
    runtime: Option<Runtime>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Another {
    async fn start(topic: &Topic) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let (dependencies, address) = (topic.dependencies.clone(), topic.server.address());
        let started = runtime.spawn({
            let (tracker, stop) = (tracker.clone(), stop.clone());
            async move {
                let client = natter_nats::connect::connect(&address, Purpose::Work).await.unwrap();
                let dependencies = Dependencies { js: jetstream::new(client), ..dependencies };
                natter_workers::start(&dependencies, &[Job::Mirror], &tracker, stop).await.unwrap();
            }
        });
        started.await.unwrap();
        Self { runtime: Some(runtime), tracker, stop }
    }

    /// Stops as a worker does on SIGTERM.
    async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(std::time::Duration::from_mins(1), self.tracker.wait()).await.unwrap();
    }

    /// In the middle of whatever it does.
    fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Another {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Who is pinned to the mirror's consumer of a partition.
async fn pinned(topic: &Topic, p: Partition) -> Option<String> {
    let js = topic.server.js().await;
    let consumer: jetstream::consumer::PullConsumer =
        js.get_consumer_from_stream(topology::MIRROR, topology::log_stream(p)).await.unwrap();
    consumer.cached_info().priority_groups[0].pinned_client_id.clone()
}

async fn mirrored(topic: &Topic, p: Partition, seq: u64) {
    until_some("it is mirrored", || async {
        (topic.dependencies.log.mirror_floor(p).await.unwrap() >= seq).then_some(())
    })
    .await;
}

#[tokio::test]
async fn of_two_mirrors_one_is_active_and_the_other_goes_on_when_it_stops() {
    let topic = Topic::shared().await;
    let rooms = rooms();
    let first = Another::start(&topic).await;
    topic.fill(&rooms, 20).await;
    mirrored(&topic, Partition(0), 10).await;
    let pin = pinned(&topic, Partition(0)).await.expect("the first has the place");

    let second = Another::start(&topic).await;
    topic.fill(&rooms, 20).await;
    mirrored(&topic, Partition(0), 20).await;
    assert_eq!(pinned(&topic, Partition(0)).await.as_ref(), Some(&pin), "it keeps the place");

    first.stop().await;
    topic.fill(&rooms, 20).await;
    mirrored(&topic, Partition(0), 30).await;
    assert_ne!(pinned(&topic, Partition(0)).await, Some(pin));
    second.stop().await;
    topic.complete().await;
}

#[tokio::test]
async fn a_mirror_that_is_killed_under_load_is_followed_without_gap_or_repeat() {
    let topic = Topic::shared().await;
    let room = room(Partition(0));
    let author = UserId::fresh();
    let mut first = Another::start(&topic).await;
    let _second = Another::start(&topic).await;
    for n in 0..600 {
        topic.publish(&event(author, room, posted(&format!("message {n}")))).await;
        if n == 300 {
            // One of them is at it; whichever it is, the other takes over.
            first.kill();
            first = Another::start(&topic).await;
        }
    }
    topic.complete().await;
    for n in 0..40 {
        topic.publish(&event(author, room, posted(&format!("afterwards {n}")))).await;
    }
    topic.complete().await;
}

#[tokio::test]
async fn a_place_that_is_taken_away_is_taken_again() {
    let topic = Topic::shared().await;
    let (rooms, _both) = (rooms(), [Another::start(&topic).await, Another::start(&topic).await]);
    let js = topic.server.js().await;
    let stream = js.get_stream(topology::log_stream(Partition(0))).await.unwrap();
    for round in 1..=5 {
        topic.fill(&rooms, 40).await;
        stream.unpin_consumer(topology::MIRROR, topology::MIRROR).await.unwrap();
        topic.fill(&rooms, 40).await;
        mirrored(&topic, Partition(0), round * 40).await;
    }
    topic.complete().await;
}
