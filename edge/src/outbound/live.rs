//! The log's repeats arrive: core NATS, at most once, in the order of each partition's log. What is lost here
//! is found by the hub and filled from history.

use std::sync::Arc;

use futures_util::StreamExt;
use natter_nats::{async_nats, connect, live, subject};
use natter_schemas::{frame::ServerFrame, id::Partition, rpc::ReadMark};

use super::{gap, hub::Hub, signals};
use crate::app::Edge;

/// Subscribes to every partition before the first socket is served, so that no join races with it.
pub async fn follow(edge: &Arc<Edge>) -> anyhow::Result<()> {
    for partition in Partition::all(edge.deployment.partitions) {
        let events = edge.live.subscribe(subject::live(partition)).await?;
        let reads = edge.live.subscribe(subject::live_reads(partition)).await?;
        let (hub, stop) = (edge.hub.clone(), edge.lifecycle.stop().clone());
        edge.lifecycle.spawn("live events", async move {
            stop.run_until_cancelled(listen(hub, events)).await;
        });
        let (hub, stop) = (edge.hub.clone(), edge.lifecycle.stop().clone());
        edge.lifecycle.spawn("live read marks", async move {
            stop.run_until_cancelled(listen_reads(hub, reads)).await;
        });
    }
    signals::follow(edge).await?;
    // Subscriptions are written behind: only a round trip shows that the server has them.
    connect::settled(&edge.live).await;
    edge.lifecycle.spawn("gap watch", gap::watch(edge.hub.clone()));
    Ok(())
}

async fn listen(hub: Arc<Hub>, mut events: async_nats::Subscriber) {
    while let Some(message) = events.next().await {
        match live::parse(message) {
            Some(event) => hub.arrive(event),
            None => tracing::warn!("a live message without a place in the log was dropped"),
        }
    }
}

/// Read marks are last values: a lost one is followed by a newer one or read with the conversation.
async fn listen_reads(hub: Arc<Hub>, mut reads: async_nats::Subscriber) {
    while let Some(message) = reads.next().await {
        let Ok(mark) = postcard::from_bytes::<ReadMark>(&message.payload) else { continue };
        hub.receipt(&mark);
    }
}

impl Hub {
    fn receipt(&self, mark: &ReadMark) {
        let frame = ServerFrame::ReadReceipt {
            conversation_id: mark.conversation,
            user_id: mark.user,
            seq: mark.seq,
            read_at: mark.at,
        };
        self.with_room(mark.conversation, |room| room.tell(&frame));
    }
}
