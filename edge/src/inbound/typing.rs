//! Typing is passed on to all edges and leaves no trace in the log.

use std::{sync::Arc, time::Instant};

use natter_nats::{async_nats, message, subject};
use natter_schemas::{
    code::Code,
    id::{ConversationId, Partition},
    limits, rpc,
};

use crate::{
    api_error::ApiError,
    membership::Members,
    outbound::sockets::{Socket, TypingReport},
};

pub struct Typing {
    pub members: Arc<Members>,
    pub bus: async_nats::Client,
    pub partitions: u16,
}

impl Typing {
    /// Passes typing on, at most once in [`limits::TYPING_EVERY`], and after each time its end once. A lost signal is made up for by
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
        let subject = subject::signal(partition, conversation);
        if let Err(error) = message::send(&self.bus, subject, &typing).await {
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
    let due = match last {
        Some(report) if on => report.begun.elapsed() >= limits::TYPING_EVERY,
        Some(report) => report.on,
        None => on,
    };
    if due {
        let begun = last.filter(|_| !on).map_or_else(Instant::now, |report| report.begun);
        *last = Some(TypingReport { begun, on });
    }
    due
}

#[cfg(test)]
mod tests {
    use natter_schemas::id::{SessionId, UserId};

    use super::*;

    #[test]
    fn alternating_is_passed_on_no_more_often_than_typing() {
        let socket = Socket::new(UserId::fresh(), SessionId::fresh(), String::new());
        let conversation = ConversationId::fresh();
        socket.joined.lock().insert(conversation, None);
        let due = |on| is_due(&socket, conversation, on);
        assert!(!due(false), "nothing began");
        assert!(due(true) && due(false));
        assert!((0..100).all(|number| !due(number % 2 == 0)));
        let long_ago = Instant::now().checked_sub(limits::TYPING_EVERY).expect("a machine that is up");
        socket.joined.lock().insert(conversation, Some(TypingReport { begun: long_ago, on: false }));
        assert!(!due(false) && due(true) && !due(true) && due(false) && !due(false));
    }
}
