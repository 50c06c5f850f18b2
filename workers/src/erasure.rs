//! A user's data destroyed, step by step: each may be repeated, and what is done is recorded in the store, so that whoever
//! finds an erasure open goes on with it. Its account was closed with the request.

mod record; // how far it is, and what was found
mod texts; // texts in clear
mod job; // goes on with what is open

use std::sync::Arc;

use natter_nats::{
    async_nats::Client,
    event_log::EventLog,
    log::{LogError, LogReader},
    publisher::{PublishError, Publisher},
    service::RpcClient,
};
use natter_runtime::shared_state::SharedState;
use natter_schemas::{
    code::Code,
    event::Shape,
    id::{ConversationId, UserId},
    rpc::{RemoveMember, RpcError, SetBlock},
};
use natter_store::{Erasure, Store, StoreError};
use tracing::info;

use crate::{
    close::announce_end,
    control::{self, NotifyError},
    presence,
    services::{Failure, history::History},
};

pub use job::run;
pub use record::{Counts, Record, Step, TextCounts};

/// Why a step was not done; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Announce(#[from] NotifyError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    History(#[from] Failure),
    #[error("a service refused: {0}")]
    Refused(#[from] RpcError),
    #[error("the record of an erasure cannot be read: {0}")]
    Record(#[from] serde_json::Error),
    #[error("{0}")]
    NotYet(&'static str),
}

/// What erases.
pub struct Eraser {
    pub store: Arc<dyn Store>,
    pub publisher: Publisher,
    /// Where deletions are appended.
    pub events: EventLog,
    pub log: LogReader,
    pub history: Arc<History>,
    /// The other services.
    pub rpc: RpcClient,
    pub shared: Arc<dyn SharedState>,
    pub bus: Client,
    pub partitions: u16,
}

impl Eraser {
    /// Does the next step and records it. `None`: all is done, or another worker has gone on with it.
    pub async fn advance(&self, erasure: Erasure) -> Result<Option<Erasure>, EraseError> {
        let user = erasure.user;
        let mut record = Record::read(&erasure.record)?;
        let Some(step) = record.next() else { return Ok(None) };
        self.perform(user, step, &mut record).await?;
        record.passed(step);
        let done = record.next().is_none();
        if done {
            record.finished_at = Some(self.events.now());
        }
        let to = serde_json::to_vec(&record)?;
        if !self.store.record_erasure(user, &erasure.record, &to, done).await? {
            return Ok(None);
        }
        info!(%user, step = step.name(), done, "a step of an erasure is done");
        Ok((!done).then_some(Erasure { record: to, ..erasure }))
    }

    /// For [`advance`](Self::advance), and for tests of what a crash leaves behind.
    #[doc(hidden)]
    pub async fn perform(&self, user: UserId, step: Step, record: &mut Record) -> Result<(), EraseError> {
        let store = &*self.store;
        match step {
            Step::Count => {
                let counts = self.count(user).await?;
                record.before.get_or_insert(counts);
            }
            Step::Sessions => {
                for session in announce_end(store, &self.publisher, user).await? {
                    presence::end_session(&*self.shared, &self.bus, user, session).await;
                }
                store.erase_sessions(user).await?;
            }
            Step::Keys => {
                store.erase_keys(user).await?;
                control::publish_keys_changed(&self.publisher, &[user]).await?;
            }
            Step::Texts => self.texts(user, record).await?,
            // Before the groups: who has no name is not added to one any more.
            Step::Profile => store.erase_profile(user).await?,
            Step::Groups => self.leave_groups(user).await?,
            Step::Blocks => self.lift_blocks(user).await?,
            Step::Marks => {
                store.erase_marks(user, &store.conversations_ever(user).await?).await?;
                self.log.erase_read_marks(user).await?;
            }
            Step::Files => store.overwrite_erased().await?,
            Step::Proof => self.prove(user, record).await?,
        }
        Ok(())
    }

    async fn count(&self, user: UserId) -> Result<Counts, EraseError> {
        let groups = self.groups(user).await?.len() as u64;
        let published = self.log.read_marks(user).await?;
        Ok(Counts::of(self.store.traces(user).await?, groups, published))
    }

    async fn groups(&self, user: UserId) -> Result<Vec<ConversationId>, EraseError> {
        let memberships = self.store.memberships(user).await?;
        let groups = memberships.into_iter().filter(|membership| membership.shape == Shape::Group);
        Ok(groups.map(|membership| membership.conversation).collect())
    }

    /// As if the user left: an owner's successor is named by the service.
    async fn leave_groups(&self, user: UserId) -> Result<(), EraseError> {
        for conversation in self.groups(user).await? {
            let leave = RemoveMember { by: user, conversation, user, traceparent: None };
            is_gone(self.rpc.call(&leave).await)?;
        }
        Ok(())
    }

    /// By the service, which says it to edges: the others can write to whom the user has blocked.
    async fn lift_blocks(&self, user: UserId) -> Result<(), EraseError> {
        for other in self.store.blocks_of(user).await? {
            is_gone(self.rpc.call(&SetBlock { user, other, on: false }).await)?;
            self.store.unblock(user, other).await?;
        }
        Ok(())
    }

    /// What came meanwhile, of a call that was under way, makes all of it begin again.
    async fn prove(&self, user: UserId, record: &mut Record) -> Result<(), EraseError> {
        self.texts(user, record).await?;
        let after = self.count(user).await?;
        if !after.is_none() {
            record.begin_again();
        }
        record.after = Some(after);
        Ok(())
    }
}

/// What an attempt before has done already is no failure.
fn is_gone(answer: Result<(), RpcError>) -> Result<(), RpcError> {
    match answer {
        Err(refused) if refused.code == Code::NotFound => Ok(()),
        answer => answer,
    }
}
