//! Typing is passed on to all edges and leaves no trace in the log.

use std::{sync::Arc, time::Instant};

use natter_nats::{async_nats, subject};
use natter_schemas::{
    code::Code,
    id::{ConversationId, Partition},
    limits, rpc,
};

use crate::{api_error::ApiError, membership::Members, outbound::sockets::Socket};

pub struct Typing {
    pub members: Arc<Members>,
    pub bus: async_nats::Client,
    pub partitions: u16,
}

impl Typing {
    /// Passes typing on, at most once in [`limits::TYPING_EVERY`], and its end once. A lost signal is made up for by
    /// the next one.
    pub async fn pass_on(
        &self,
        socket: &Socket,
        conversation: ConversationId,
        on: bool,
    ) -> Result<(), ApiError> {
        if !socket.joined.lock().contains_key(&conversation) {
            return Err(ApiError::new(Code::Forbidden, "join the conversation first"));
        }
        if self.members.access(socket.user, conversation).await?.blocked {
            return Err(ApiError::new(Code::Forbidden, "one of you has blocked the other"));
        }
        if !is_due(socket, conversation, on) {
            return Ok(());
        }
        let partition = Partition::of(conversation, self.partitions);
        let typing = rpc::Typing { user: socket.user, on };
        let payload = postcard::to_allocvec(&typing).expect("an id and a flag always encode");
        if let Err(error) = self.bus.publish(subject::signal(partition, conversation), payload.into()).await {
            tracing::debug!(%conversation, %error, "typing not passed on");
        }
        Ok(())
    }
}

/// Whether this report must be passed on; remembers it if so.
fn is_due(socket: &Socket, conversation: ConversationId, on: bool) -> bool {
    let mut joined = socket.joined.lock();
    // It has left in between.
    let Some(last) = joined.get_mut(&conversation) else { return false };
    let recent = last.is_some_and(|at| at.elapsed() < limits::TYPING_EVERY);
    match (on, recent) {
        (true, true) => false,
        (true, false) => {
            *last = Some(Instant::now());
            true
        }
        // `last` stays while it is recent: alternating passes no more on than typing does.
        (false, _) => last.is_some(),
    }
}
