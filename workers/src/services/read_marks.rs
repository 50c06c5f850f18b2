//! What was not read yet. A read mark is a position that only rises; the number of unread messages follows
//! from it and is never kept anywhere.

mod unread; // pure but for one question to the store

use std::{sync::Arc, time::Duration};

use natter_nats::{
    clock::LogClock,
    publisher::Publisher,
    service::{RpcServer, ServiceError},
    subject,
};
use natter_schemas::{
    code::Code,
    id::Partition,
    limits,
    rpc::{MarkRead, ReadMark, ReadState},
};
use natter_store::Store;
use tracing::warn;

pub use unread::{read_through, unread};

use super::{Failure, history::History};

/// The mark is stored by then; the caller waits no longer for its publication.
const NOTIFY_TIMEOUT: Duration = limits::PUBLISH_ATTEMPT;

pub struct ReadMarks {
    store: Arc<dyn Store>,
    publisher: Publisher,
    history: Arc<History>,
    partitions: u16,
    clock: LogClock,
}

impl ReadMarks {
    pub const fn new(
        store: Arc<dyn Store>,
        publisher: Publisher,
        history: Arc<History>,
        partitions: u16,
        clock: LogClock,
    ) -> Self {
        Self { store, publisher, history, partitions, clock }
    }

    pub async fn serve(self, server: &mut RpcServer) -> Result<(), ServiceError> {
        answer!(server, Arc::new(self), { MarkRead => read, });
        Ok(())
    }

    async fn read(&self, call: MarkRead) -> Result<ReadState, Failure> {
        let MarkRead { user, conversation, seq, private } = call;
        let membership = self.store.membership(conversation, user).await?;
        membership.and_then(|m| m.role).ok_or(Code::NotFound)?;

        let floor = self.history.floor(conversation);
        let (tail, head) = self.history.tail_and_head(conversation, floor).await?;
        let at = self.clock.now();
        let mark = self.store.advance_read(conversation, user, seq.min(head), at).await?;
        let read = read_through(user, mark, &tail);
        let unread = unread(&*self.store, (conversation, user), read, floor, &tail).await?;
        self.publish_mark(ReadMark { conversation, user, seq: read, at, private }).await;
        Ok(ReadState { seq: read, unread })
    }

    /// The last mark of each user is kept by the stream; a repeat is dropped as a duplicate.
    async fn publish_mark(&self, mark: ReadMark) {
        let ReadMark { conversation, user, seq, .. } = mark;
        let id = format!("{conversation}:{user}:{seq}");
        let subject = subject::reads(Partition::of(conversation, self.partitions), conversation, user);
        let payload = postcard::to_allocvec(&mark)
            .expect("postcard into a Vec fails only for lengths unknown up front");
        let publish = self.publisher.publish(subject, &id, payload.into());
        match tokio::time::timeout(NOTIFY_TIMEOUT, publish).await {
            Ok(Ok(_)) => {}
            Ok(Err(e)) => {
                warn!(%conversation, seq, error = %e, "read mark stored, but not published to other devices");
            }
            Err(_) => {
                warn!(%conversation, seq, "read mark stored, but not published to other devices in time");
            }
        }
    }
}
