//! Every frame after hello becomes its answer: at once, or when somebody else has answered.

use std::sync::Arc;

use natter_runtime::rates::Class;
use natter_schemas::{
    code::Code,
    event::Timestamp,
    frame::{ClientFrame, RequestId, ServerFrame},
    id::ConversationId,
};

use super::{
    admit::{Draft, Wish},
    hello,
    lanes::{Lane, Request},
    publish::{self, Acked, Identity},
    reading, signal,
};
use crate::{api_error::ApiError, app::Edge, auth, outbound::catch_up, sockets::Socket};

/// What the socket's loop does with a frame.
pub enum Answer {
    Given,
    /// A request that waits for others, in its lane.
    Later(Lane, Request),
    /// The token was renewed in place.
    Renewed(auth::Identity),
    Close(Code),
}

pub async fn answer(edge: &Arc<Edge>, socket: &Arc<Socket>, frame: ClientFrame) -> Answer {
    match frame {
        ClientFrame::Hello { .. } => Answer::Close(Code::ProtocolError),
        ClientFrame::Ping { id } => {
            socket.outbox.offer(&ServerFrame::Pong { id, server_time: Timestamp::now() });
            Answer::Given
        }
        ClientFrame::Token { id, token } => Box::pin(renew(edge, socket, id, &token)).await,
        ClientFrame::Read { id, conversation_id, seq } => {
            let heard = reading::heard(socket, conversation_id, seq);
            let (edge, socket) = (edge.clone(), socket.clone());
            let request =
                async move { reading::read(&edge, &socket, id, conversation_id, (seq, heard)).await };
            Answer::Later(Lane::Reads(conversation_id), Box::pin(request))
        }
        ClientFrame::Resume { id, positions } => {
            let missed = hello::missed(socket, &positions);
            let (edge, socket) = (edge.clone(), socket.clone());
            Answer::Later(Lane::Socket, Box::pin(async move { resume(&edge, &socket, missed, id).await }))
        }
        ClientFrame::Join { id, conversation_id } => later(edge, socket, conversation_id, |edge, socket| {
            signal::join(edge, socket, id, conversation_id)
        }),
        // In its lane: it must not overtake the join before it.
        ClientFrame::Leave { id, conversation_id } => {
            later(edge, socket, conversation_id, |edge, socket| async move {
                signal::leave(&edge, &socket, conversation_id);
                if id.is_some() {
                    socket.outbox.offer(&ack(id));
                }
            })
        }
        ClientFrame::Typing { conversation_id, is_typing } => {
            if let Err(refusal) = Box::pin(signal::typing(edge, socket, conversation_id, is_typing)).await {
                socket.outbox.offer(&refusal.frame(None));
            }
            Answer::Given
        }
        frame => match draft(socket, frame) {
            Some((id, draft, retry)) => later(edge, socket, draft.conversation, move |edge, socket| {
                publish(edge, socket, id, draft, retry)
            }),
            None => Answer::Close(Code::ProtocolError),
        },
    }
}

/// Sends everything a socket missed, then says that it has.
pub async fn resume(edge: &Arc<Edge>, socket: &Arc<Socket>, missed: hello::Missed, id: Option<RequestId>) {
    match catch_up::all(edge, socket, missed.held, missed.same_epoch).await {
        Ok(()) => socket.outbox.offer(&ServerFrame::ResumeDone { id }),
        Err(refusal) => socket.outbox.offer(&refusal.frame(id)),
    }
}

fn later<F, Fut>(edge: &Arc<Edge>, socket: &Arc<Socket>, conversation: ConversationId, ask: F) -> Answer
where
    F: FnOnce(Arc<Edge>, Arc<Socket>) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    Answer::Later(Lane::Says(conversation), Box::pin(ask(edge.clone(), socket.clone())))
}

async fn renew(edge: &Arc<Edge>, socket: &Arc<Socket>, id: Option<RequestId>, token: &str) -> Answer {
    match edge.tokens.verify(token) {
        Err(code) => Answer::Close(code),
        Ok(identity) if identity.user != socket.user || identity.session != socket.session => {
            let refusal = ApiError::new(Code::Forbidden, "the token is of another session");
            socket.outbox.offer(&refusal.frame(id));
            Answer::Given
        }
        Ok(identity) if edge.control.has_ended(identity.session).await => Answer::Close(Code::SessionRevoked),
        Ok(identity) => {
            socket.outbox.offer(&ack(id));
            Answer::Renewed(identity)
        }
    }
}

fn ack(id: Option<RequestId>) -> ServerFrame {
    ServerFrame::Ack {
        id,
        conversation_id: None,
        message_id: None,
        client_id: None,
        seq: None,
        created_at: None,
        duplicate: None,
    }
}

/// A frame that says something into a conversation, as a draft; `retry` marks a second attempt.
fn draft(socket: &Socket, frame: ClientFrame) -> Option<(Option<RequestId>, Draft, bool)> {
    let (id, conversation, client_id, retry, wish) = match frame {
        ClientFrame::Send { id, conversation_id, content, client_id, reply_to, retry } => {
            (id, conversation_id, Some(client_id), retry, Wish::Post { content, reply_to })
        }
        ClientFrame::Edit { id, conversation_id, seq, content } => {
            (id, conversation_id, None, false, Wish::Edit { target: seq, content })
        }
        ClientFrame::Delete { id, conversation_id, seq } => {
            (id, conversation_id, None, false, Wish::Delete { target: seq })
        }
        ClientFrame::React { id, conversation_id, seq, emoji, on } => {
            (id, conversation_id, None, false, Wish::React { target: seq, emoji, on })
        }
        _ => return None,
    };
    let device = socket.device.clone();
    let draft = Draft { author: socket.user, conversation, device, client_id, wish, traceparent: None };
    Some((id, draft, retry))
}

async fn publish(edge: Arc<Edge>, socket: Arc<Socket>, id: Option<RequestId>, draft: Draft, retry: bool) {
    let sent = async {
        edge.limiter.take_here(Class::Send, &socket.user.to_string()).await?;
        publish::send(&edge, draft, &Identity::ClientId, retry).await
    };
    let frame = match sent.await {
        Ok(Acked { logged, duplicate }) => ServerFrame::Ack {
            id,
            conversation_id: Some(logged.event.conversation),
            message_id: Some(logged.event.id),
            client_id: logged.event.client_id,
            seq: Some(logged.seq),
            created_at: Some(logged.event.at),
            duplicate: Some(duplicate),
        },
        Err(refusal) => refusal.frame(id),
    };
    socket.outbox.offer(&frame);
}
