//! The log's repeats arrive: core NATS, at most once, in the order of each partition's log. What is lost here
//! is found by the hub and filled from history.

use std::sync::Arc;

use futures_util::StreamExt;
use natter_nats::{
    async_nats::{Client, SubscribeError, Subscriber},
    live,
    publisher::LogHealth,
    subject,
};
use natter_runtime::{lifecycle::Lifecycle, unreadable::Unreadable};
use natter_schemas::id::Partition;

use crate::outbound::hub::Hub;

pub struct LiveFeed {
    pub client: Client,
    pub hub: Arc<Hub>,
    /// Learns how far the log reaches.
    pub log: LogHealth,
    pub partitions: u16,
    pub lifecycle: Lifecycle,
}

impl LiveFeed {
    /// Subscribes to every partition; call it before the first socket is served, so that no hello races with it.
    pub async fn start(&self) -> Result<(), SubscribeError> {
        let bad_events = Arc::new(Unreadable::new("live event"));
        for partition in Partition::all(self.partitions) {
            let events = self.client.subscribe(subject::live(partition)).await?;
            self.spawn(
                "live events",
                follow_events(self.hub.clone(), self.log.clone(), events, bad_events.clone()),
            );
        }
        Ok(())
    }

    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.lifecycle.stop().clone();
        self.lifecycle.spawn(name, async move {
            stop.run_until_cancelled(task).await;
        });
    }
}

async fn follow_events(hub: Arc<Hub>, log: LogHealth, mut events: Subscriber, unreadable: Arc<Unreadable>) {
    while let Some(message) = events.next().await {
        let subject = message.subject.clone();
        match live::parse(message) {
            Some(event) => {
                log.reaches(event.partition, event.seq);
                hub.receive(event);
            }
            None => unreadable.report(&subject, "it does not name its place in the log"),
        }
    }
}
