//! `leave`: typing and presence of a conversation end.

use std::sync::Arc;

use natter_schemas::{frame::RequestId, id::ConversationId};

use crate::socket::{
    client::{Answer, Client},
    request_queues::RequestQueue,
};

/// In the conversation's queue: it must not overtake the join before it.
pub fn answer(client: &Arc<Client>, id: Option<RequestId>, conversation: ConversationId) -> Answer {
    client.queued(RequestQueue::Commands(conversation), |client| async move {
        client.app.watchers.leave(&client.socket, conversation);
        if id.is_some() {
            client.send_ack(id);
        }
    })
}
