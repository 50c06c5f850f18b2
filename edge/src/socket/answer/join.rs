//! `join`: typing and presence of a conversation begin.

use std::sync::Arc;

use natter_runtime::shared_state::Presence;
use natter_schemas::{
    frame::{RequestId, ServerFrame},
    id::{ConversationId, UserId},
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
                online: online(client.socket.user, &presences),
            },
            Err(error) => error.frame(id),
        };
        client.send(&frame);
    })
}

/// The caller is among them, whose socket this is: its first heartbeat may not have been written yet. While the shared
/// state is away no user is known to be online.
fn online(caller: UserId, presences: &[Presence]) -> Vec<UserId> {
    let online = presences.iter().filter(|presence| presence.online && presence.user != caller);
    let caller = (!presences.is_empty()).then_some(caller);
    caller.into_iter().chain(online.map(|presence| presence.user)).collect()
}
