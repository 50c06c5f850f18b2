//! Read marks that are in the store and could not be published, while NATS elects a leader for example: without them the other
//! devices of their readers would show as unread what was read. They are published as soon as that succeeds, as what they
//! are by then.

use std::{collections::HashMap, sync::Arc, time::Duration};

use natter_schemas::{
    id::{ConversationId, UserId},
    rpc::ReadMark,
};
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{NotPublished, ReadMarks, read_through};
use crate::services::Failure;

/// Between attempts.
const AGAIN: Duration = Duration::from_secs(1);
/// What does not fit is shown when it moves again, or is loaded with its conversation.
const MOST: usize = 10_000;

type Place = (ConversationId, UserId);

/// Whose, and whether only the reader's own devices are sent the receipt.
#[derive(Default)]
pub struct Late(Mutex<HashMap<Place, bool>>);

impl Late {
    pub fn add(&self, place: Place, private: bool) {
        let mut late = self.0.lock();
        let full = late.len() >= MOST;
        match late.get_mut(&place) {
            Some(known) => *known |= private,
            None if full => warn!(most = MOST, "a read mark is not published later: too many wait"),
            None => drop(late.insert(place, private)),
        }
    }

    fn take(&self) -> HashMap<Place, bool> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl ReadMarks {
    /// Until `stop` is cancelled.
    pub async fn publish_late_ones(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(AGAIN);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            for (place, private) in self.late.take() {
                if self.publish_current(place, private).await.is_err() {
                    self.late.add(place, private);
                }
            }
        }
    }

    async fn publish_current(&self, place: Place, private: bool) -> Result<(), NotPublished> {
        match self.current(place, private).await {
            Ok(Some(mark)) => self.publish_mark(mark).await,
            // Who has left has no mark.
            Ok(None) => Ok(()),
            Err(_) => Err(NotPublished),
        }
    }

    async fn current(&self, (conversation, user): Place, private: bool) -> Result<Option<ReadMark>, Failure> {
        let membership = self.store.membership(conversation, user).await?;
        if membership.and_then(|membership| membership.role).is_none() {
            return Ok(None);
        }
        let floor = self.history.floor(conversation);
        let (tail, _) = self.history.tail_and_head(conversation, floor).await?;
        let position = read_through(user, self.store.read_position(conversation, user).await?, &tail);
        let (at, seq, own) = (self.clock.now(), position.read, position.own());
        Ok(Some(ReadMark { conversation, user, seq, at, private, moved: true, own }))
    }
}
