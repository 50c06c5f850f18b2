use std::{sync::Arc, time::Duration};

use natter_nats::{
    async_nats::jetstream,
    control::{self, ControlError, ControlFeed, Notice},
    subject::ControlTo,
};
use natter_runtime::{sampled::Sampled, unreadable::Unreadable};
use natter_schemas::rpc::Control;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tracing::warn;

use super::known_members::KnownMembers;

/// How often it is proven that everything published was followed: one request to the stream's leader.
const EVERY: Duration = Duration::from_secs(1);
/// From a proof on, known members count so long. A removal after it is noticed by the next one, or else ends them then:
/// within the contract's 2 s.
const TRUST: Duration = Duration::from_millis(1_900);
const RETRY: Duration = Duration::from_millis(500);
const LOG_EVERY: Duration = Duration::from_mins(1);

/// Follows CONTROL, of which removals matter here.
pub struct Follower {
    js: jetstream::Context,
    known: Arc<KnownMembers>,
    /// Seq of the newest message that was followed; `None`: it has not begun.
    position: watch::Sender<Option<u64>>,
    interrupted: Sampled,
    unreadable: Unreadable,
}

impl Follower {
    pub fn new(js: jetstream::Context, known: Arc<KnownMembers>) -> Self {
        Self {
            js,
            known,
            position: watch::Sender::new(None),
            interrupted: Sampled::once_a(LOG_EVERY),
            unreadable: Unreadable::new("control"),
        }
    }

    pub async fn run(self) {
        tokio::join!(self.follow(), self.prove());
    }

    async fn follow(&self) {
        loop {
            if let Err(error) = self.consume().await
                && let Some(count) = self.interrupted.due()
            {
                warn!(%error, count, "CONTROL is not followed; until it is, every reader is looked up in the store");
            }
            sleep(RETRY).await;
        }
    }

    /// From where the last one ended; the first one needs nothing of the past, because nothing is known before it.
    async fn consume(&self) -> Result<(), ControlError> {
        let position = *self.position.borrow();
        let position = match position {
            Some(position) => position,
            None => control::head(&self.js).await?,
        };
        let mut feed = ControlFeed::after(&self.js, position).await?;
        if feed.missed {
            self.known.forget_all();
        }
        self.position.send_replace(Some(feed.begins_after));
        while let Some(notice) = feed.next().await {
            let notice = notice?;
            self.apply(&notice);
            self.position.send_replace(Some(notice.seq));
        }
        Ok(())
    }

    fn apply(&self, notice: &Notice) {
        match &notice.content {
            Ok((ControlTo::User(user), Control::Membership(membership))) if membership.role.is_none() => {
                self.known.removed(*user);
            }
            Ok(_) => {}
            Err(bad) => {
                // Whatever it says, it may be a removal.
                self.known.forget_all();
                self.unreadable.report(&bad.subject, &bad.reason);
            }
        }
    }

    async fn prove(&self) {
        let mut position = self.position.subscribe();
        loop {
            let asked = Instant::now();
            if let Ok(head) = control::head(&self.js).await {
                if position.borrow().is_some_and(|position| position > head) {
                    // The stream was created again: what it had is not known.
                    self.known.forget_all();
                } else if timeout(EVERY, position.wait_for(|position| *position >= Some(head))).await.is_ok()
                {
                    self.known.trust_until(asked + TRUST);
                }
            }
            sleep(EVERY).await;
        }
    }
}
