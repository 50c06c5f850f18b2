//! The log's repeats arrive: core NATS, at most once, in the order of each partition's log. What is lost here
//! is found by the hub and filled from history.

use std::sync::Arc;

use futures_util::StreamExt;
use natter_nats::{
    async_nats::{Client, SubscribeError, Subscriber},
    live,
    message::Reader,
    subject,
};
use natter_runtime::{lifecycle::Lifecycle, unreadable::Unreadable};
use natter_schemas::{frame::ServerFrame, id::Partition, rpc::ReadMark};

use crate::outbound::hub::Hub;

pub struct LiveFeed {
    pub client: Client,
    pub hub: Arc<Hub>,
    pub partitions: u16,
    pub lifecycle: Lifecycle,
}

impl LiveFeed {
    /// Subscribes to every partition; call it before the first socket is served, so that no hello races with it.
    pub async fn start(&self) -> Result<(), SubscribeError> {
        let bad_events = Arc::new(Unreadable::new("live event"));
        let bad_marks = Arc::new(Unreadable::new("read mark"));
        for partition in Partition::all(self.partitions) {
            let events = self.client.subscribe(subject::live(partition)).await?;
            let marks = self.client.subscribe(subject::live_reads(partition)).await?;
            self.spawn("live events", follow_events(self.hub.clone(), events, bad_events.clone()));
            self.spawn("live read marks", follow_read_marks(self.hub.clone(), marks, bad_marks.clone()));
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

async fn follow_events(hub: Arc<Hub>, mut events: Subscriber, unreadable: Arc<Unreadable>) {
    while let Some(message) = events.next().await {
        let subject = message.subject.clone();
        match live::parse(message) {
            Some(event) => hub.receive(event),
            None => unreadable.report(&subject, "it does not name its place in the log"),
        }
    }
}

/// Read marks are last values: a lost one is followed by a newer one or read with the conversation.
async fn follow_read_marks(hub: Arc<Hub>, mut marks: Subscriber, unreadable: Arc<Unreadable>) {
    let reader = Reader::new("read mark");
    while let Some(message) = marks.next().await {
        match reader.read::<ReadMark>(&message) {
            Ok(mark) => {
                let others = (mark.moved && !mark.private).then(|| receipt(&mark));
                hub.broadcast(mark.conversation, mark.user, &own_receipt(&mark), others.as_ref());
            }
            Err(error) => unreadable.report(&message.subject, error),
        }
    }
}

fn receipt(mark: &ReadMark) -> ServerFrame {
    ServerFrame::ReadReceipt {
        conversation_id: mark.conversation,
        user_id: mark.user,
        seq: mark.seq,
        read_at: mark.at,
        version: None,
    }
}

/// To the devices of the reader: further back while something is marked as unread.
fn own_receipt(mark: &ReadMark) -> ServerFrame {
    ServerFrame::ReadReceipt {
        conversation_id: mark.conversation,
        user_id: mark.user,
        seq: mark.own.seq,
        read_at: mark.at,
        version: Some(mark.own.version),
    }
}
