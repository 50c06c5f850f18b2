//! The place at the head of one partition's log: one worker has it, others stand by. The server pins the durable
//! consumer to the first to be given an event, and to no other while that one keeps requesting.

use std::time::Duration;

use futures_util::future::join_all;
use natter_nats::{
    async_nats::jetstream::{AckKind, Context, Message},
    pull::{Pull, PullError, PullRequest},
    topology::MIRROR,
};
use natter_schemas::limits;

/// A pull ends, and the next one renews the pin: twice within `topology::PIN`. With the silence after which a pull
/// fails it leaves more than 3 s of the pin to tidy up.
const EXPIRES: Duration = Duration::from_secs(4);

pub struct PinnedConsumer {
    js: Context,
    pull: Pull,
}

impl PinnedConsumer {
    /// Requests the pin; the worker that receives the first event has it.
    pub async fn open(js: &Context, stream: String) -> Result<Self, PullError> {
        let pull = Pull::open_pinned(js, &stream, MIRROR, MIRROR).await?;
        Ok(Self { js: js.clone(), pull })
    }

    /// The next event, which comes only to the worker that holds the pin. Has to be awaited continually: that
    /// keeps it. Nothing is lost if it is not waited for to the end.
    pub async fn next(&mut self) -> Result<Message, PullError> {
        loop {
            if !self.pull.is_requested() {
                let batch = limits::MIRROR_IN_FLIGHT;
                self.pull.request(PullRequest { batch, expires: Some(EXPIRES) }).await?;
            }
            if let Some(event) = self.pull.receive().await? {
                return Ok(event);
            }
        }
    }

    /// Makes room for another worker, and gives back what was not answered, so that it goes there at once.
    pub async fn release(mut self, mut unacked: Vec<Message>) {
        unacked.extend(self.pull.close().await);
        self.pull.unpin().await;
        join_all(unacked.iter().map(|message| message.ack_with(AckKind::Nak(None)))).await;
        let _ = self.js.client().flush().await;
    }
}
