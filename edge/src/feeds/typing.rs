//! Who types: sent at once to the others who joined the conversation, never stored.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use natter_nats::{
    async_nats::{Client, SubscribeError, Subscriber},
    message::Reader,
    subject,
};
use natter_runtime::{lifecycle::Lifecycle, unreadable::Unreadable};
use natter_schemas::{id::Partition, rpc::Typing};
use tokio::time::{MissedTickBehavior, interval};

use crate::outbound::hub::Hub;

/// How often typing that was not repeated is looked for.
const EXPIRE: Duration = Duration::from_millis(500);

pub struct TypingFeed {
    pub client: Client,
    pub hub: Arc<Hub>,
    pub partitions: u16,
    pub lifecycle: Lifecycle,
}

impl TypingFeed {
    pub async fn start(&self) -> Result<(), SubscribeError> {
        let unreadable = Arc::new(Unreadable::new("typing"));
        for partition in Partition::all(self.partitions) {
            let signals = self.client.subscribe(subject::signals(partition)).await?;
            self.spawn("typing", follow(self.hub.clone(), signals, unreadable.clone()));
        }
        self.spawn("typing expiry", expire(self.hub.clone()));
        Ok(())
    }

    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.lifecycle.stop().clone();
        self.lifecycle.spawn(name, async move {
            stop.run_until_cancelled(task).await;
        });
    }
}

async fn follow(hub: Arc<Hub>, mut signals: Subscriber, unreadable: Arc<Unreadable>) {
    let reader = Reader::new("typing");
    while let Some(message) = signals.next().await {
        let Some((_, conversation)) = subject::parse_conversation(&message.subject) else {
            unreadable.report(&message.subject, "its subject names no conversation");
            continue;
        };
        match reader.read::<Typing>(&message) {
            Ok(typing) => hub.typing(conversation, typing.user, typing.on),
            Err(error) => unreadable.report(&message.subject, error),
        }
    }
}

async fn expire(hub: Arc<Hub>) {
    let mut ticks = interval(EXPIRE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        hub.expire_typing();
    }
}
