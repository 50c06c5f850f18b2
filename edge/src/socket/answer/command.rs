//! A command is published in its conversation's queue, so a retry never overtakes its first attempt, and acked.

use std::sync::Arc;

use natter_nats::event_log::Appended;
use natter_schemas::{
    code::Code,
    frame::{RequestId, ServerFrame},
    id::ConversationId,
    trace_context::TraceContext,
};
use natter_spans::{Kind, Position, Span, within};

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

/// What every command says about itself.
pub struct Given {
    pub id: Option<RequestId>,
    pub conversation: ConversationId,
    pub traceparent: Option<TraceContext>,
}

pub fn answer(client: &Arc<Client>, given: Given, command: Command, attempt: Option<Attempt>) -> Answer {
    let Given { id, conversation, traceparent } = given;
    let (client_id, retry) = match attempt {
        Some(Attempt { client_id, retry }) => (Some(client_id), retry),
        None => (None, false),
    };
    // From here on: also while it waits for the commands before it.
    let span = Span::begin(Kind::Server, verb(&command), traceparent.map(Position::given));
    let request = CommandRequest {
        author: client.socket.user,
        conversation,
        device: client.socket.device.clone(),
        client_id,
        command,
        // Its span goes beside the event: what is stored of a message does not depend on who traces it.
        traceparent: None,
    };
    client.queued(RequestQueue::Commands(conversation), |client| async move {
        let outcome = within(span.position(), publish(&client, request, retry)).await;
        let fault = outcome.as_ref().err().map(|error| error.code).filter(|code| code.is_fault());
        span.end(fault.map(Code::name), || vec![("natter.conversation", conversation.to_string().into())]);
        let frame = match outcome {
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

const fn verb(command: &Command) -> &'static str {
    match command {
        Command::Post { .. } => "send",
        Command::Edit { .. } => "edit",
        Command::Delete { .. } => "delete",
        Command::React { .. } => "react",
    }
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
