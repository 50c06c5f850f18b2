//! `join`: typing and presence of a conversation begin.

use std::sync::Arc;

use natter_schemas::{
    frame::{RequestId, ServerFrame},
    id::ConversationId,
};

use crate::socket::{
    client::{Answer, Client},
    request_queues::RequestQueue,
};

pub fn answer(client: &Arc<Client>, id: Option<RequestId>, conversation: ConversationId) -> Answer {
    client.queued(RequestQueue::Commands(conversation), |client| async move {
        let frame = match client.app.watchers.join(&client.socket, conversation).await {
            Ok((found, presences)) => ServerFrame::Joined {
                id,
                conversation_id: conversation,
                head_seq: found.head,
                read_seq: found.read,
                online: presences.iter().filter(|p| p.online).map(|p| p.user).collect(),
            },
            Err(error) => error.frame(id),
        };
        client.send(&frame);
    })
}
