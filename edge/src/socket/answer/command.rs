//! A command is published in its conversation's queue, so a retry never overtakes its first attempt, and acked.

use std::sync::Arc;

use natter_nats::event_log::Appended;
use natter_schemas::{
    frame::{RequestId, ServerFrame},
    id::ConversationId,
};

use crate::{
    api_error::ApiError,
    inbound::{
        admit::{Command, CommandRequest},
        publish::{DedupKey, EarlierAttempt},
    },
    socket::{
        client::{Answer, Client},
        request_queues::RequestQueue,
    },
};

/// The client's own name for a command, and whether it may have been sent before.
pub struct Attempt {
    pub client_id: String,
    pub retry: bool,
}

pub fn answer(
    client: &Arc<Client>,
    id: Option<RequestId>,
    conversation: ConversationId,
    command: Command,
    attempt: Option<Attempt>,
) -> Answer {
    let (client_id, retry) = match attempt {
        Some(Attempt { client_id, retry }) => (Some(client_id), retry),
        None => (None, false),
    };
    let request = CommandRequest {
        author: client.socket.user,
        conversation,
        device: client.socket.device.clone(),
        client_id,
        command,
        traceparent: None,
    };
    client.queued(RequestQueue::Commands(conversation), |client| async move {
        let frame = match publish(&client, request, retry).await {
            Ok(Some(acked)) => {
                let prefix = new_prefix(&client, &acked);
                ack(id, acked, prefix)
            }
            Ok(None) => unchanged(id, conversation),
            Err(error) => error.frame(id),
        };
        client.send(&frame);
    })
}

/// `None`: what it asks for is so already, and nothing was written.
async fn publish(
    client: &Client,
    request: CommandRequest,
    retry: bool,
) -> Result<Option<Appended>, ApiError> {
    if matches!(request.command, Command::React { .. }) {
        return client.app.sender.react(request).await;
    }
    let earlier = if retry { EarlierAttempt::Likely } else { EarlierAttempt::Possible };
    client.app.sender.send(request, &DedupKey::ClientId, earlier).await.map(Some)
}

fn unchanged(id: Option<RequestId>, conversation: ConversationId) -> ServerFrame {
    ServerFrame::Ack {
        id,
        conversation_id: Some(conversation),
        message_id: None,
        client_id: None,
        seq: None,
        created_at: None,
        duplicate: Some(true),
        client_id_prefix: None,
    }
}

/// Acks of sends bring their client a newer prefix, so that the next send needs no look-up.
fn new_prefix(client: &Client, acked: &Appended) -> Option<String> {
    acked.entry.event.client_id.as_ref()?;
    client.prefix.renew()
}

fn ack(
    id: Option<RequestId>,
    Appended { entry, duplicate }: Appended,
    client_id_prefix: Option<String>,
) -> ServerFrame {
    ServerFrame::Ack {
        id,
        conversation_id: Some(entry.event.conversation),
        message_id: Some(entry.event.id),
        client_id: entry.event.client_id,
        seq: Some(entry.seq),
        created_at: Some(entry.event.at),
        duplicate: Some(duplicate),
        client_id_prefix,
    }
}
