//! A message is edited, deleted or reacted to. Decided on the message as it is at the end of its conversation, and stored
//! only behind that end: whoever comes after a deletion in the log is refused, so the log has nothing of a message after
//! its deletion.

use std::time::Duration;

use natter_nats::{event_log::Appended, publisher::PublishError, trace::Step};
use natter_schemas::{
    backoff::Backoff,
    code::Code,
    event::LogEntry,
    id::{ConversationId, EventId, Partition, Seq},
    limits,
    rpc::{EventsAfter, GetTarget, ReplayPart, Target},
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, sleep, timeout_at},
};

use super::{
    admit::{CommandRequest, Decision, admit},
    publish::Sender,
};
use crate::api_error::ApiError;

/// Between attempts, with jitter: about as long as a message takes to be stored.
const BACKOFF_MIN: Duration = Duration::from_millis(2);
const BACKOFF_MAX: Duration = Duration::from_millis(25);
/// Conversations that share a turn wait for each other, so there are more than are busy at once.
const TURNS: u16 = 1_024;

/// Of many changes of one conversation that are decided at once each would overtake the others: those that were overtaken
/// go one after another.
pub struct Turns(Box<[Mutex<()>]>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..TURNS).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    async fn take(&self, conversation: ConversationId, deadline: Instant) -> Option<MutexGuard<'_, ()>> {
        let Partition(place) = Partition::of(conversation, TURNS);
        timeout_at(deadline, self.0[usize::from(place)].lock()).await.ok()
    }
}

/// What became of one attempt.
enum Outcome {
    Stored(Box<Appended>),
    Unchanged,
    /// Something was stored in the conversation meanwhile.
    Overtaken,
}

impl Sender {
    /// `None`: the message is as it should be already.
    pub(super) async fn change(
        &self,
        request: CommandRequest,
        target: Seq,
    ) -> Result<Option<Appended>, ApiError> {
        let deadline = Instant::now() + limits::PUBLISH_ATTEMPT;
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        let mut turn = None;
        loop {
            match self.decide_and_append(&request, target).await? {
                Outcome::Stored(appended) => {
                    // Once, however often it was decided.
                    metrics::counter!("natter_commands_accepted_total")
                        .increment(u64::from(!appended.duplicate));
                    return Ok(Some(*appended));
                }
                Outcome::Unchanged => return Ok(None),
                Outcome::Overtaken => metrics::counter!("natter_changes_repeated_total").increment(1),
            }
            if turn.is_some() {
                sleep(backoff.next_delay()).await;
            } else {
                turn = self.turns.take(request.conversation, deadline).await;
            }
            if Instant::now() >= deadline {
                return Err(ApiError::new(
                    Code::Unavailable,
                    "too much happens in this conversation at once",
                ));
            }
        }
    }

    async fn decide_and_append(&self, request: &CommandRequest, target: Seq) -> Result<Outcome, ApiError> {
        let conversation = request.conversation;
        let access = self.access(request).await?;
        let get = GetTarget { user: request.author, conversation, seq: target };
        let Target { message, last } = Box::pin(self.rpc.call(&get)).await?;
        let at = self.log.now();
        let event = match admit(request.clone(), EventId::fresh(), at, access, message.as_ref())? {
            Decision::Publish(admitted) => {
                let event = self.sealing.seal(admitted).await?.event;
                self.log.trace().record(event.id, None, Step::Admitted);
                event
            }
            Decision::Done(seq) => {
                return self.stored_at(request, seq).await.map(|found| Outcome::Stored(Box::new(found)));
            }
            Decision::Unchanged => return Ok(Outcome::Unchanged),
        };
        match self.log.append_after(last, vec![event]).await {
            Ok(stored) => {
                let entry = stored.into_iter().next().ok_or(Code::Internal)?;
                Ok(Outcome::Stored(Box::new(Appended { entry, duplicate: false })))
            }
            Err(PublishError::Moved) => Ok(Outcome::Overtaken),
            Err(error) => Err(error.into()),
        }
    }

    async fn stored_at(&self, request: &CommandRequest, seq: Seq) -> Result<Appended, ApiError> {
        let CommandRequest { author: user, conversation, .. } = *request;
        let part = ReplayPart { conversation, after: seq.saturating_sub(1), limit: 1, scanned: 0 };
        let after = EventsAfter { user, part };
        let found = self.rpc.call(&after).await?.events.into_iter().find(|entry: &LogEntry| entry.seq == seq);
        let entry = found.ok_or_else(|| {
            tracing::error!(%conversation, seq, "history does not have the deletion of a message that it has as deleted");
            Code::Unavailable
        })?;
        Ok(Appended { entry, duplicate: true })
    }
}
