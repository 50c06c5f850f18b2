//! Joining, leaving and typing: what is not an event and leaves no trace in the log.

use std::{sync::Arc, time::Instant};

use natter_nats::subject;
use natter_schemas::{
    code::Code,
    frame::{RequestId, ServerFrame},
    id::{ConversationId, Partition, UserId},
    limits,
    rpc::{GetConversation, Typing},
};

use crate::{api_error::ApiError, app::Edge, sockets::Socket};

/// From here typing and presence of the conversation flow.
pub async fn join(edge: Arc<Edge>, socket: Arc<Socket>, id: Option<RequestId>, conversation: ConversationId) {
    let frame = match joined(&edge, &socket, id.clone(), conversation).await {
        Ok(frame) => frame,
        Err(refusal) => refusal.frame(id),
    };
    socket.outbox.offer(&frame);
}

async fn joined(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    id: Option<RequestId>,
    conversation: ConversationId,
) -> Result<ServerFrame, ApiError> {
    edge.members.of_one(socket.user, conversation).await?;
    let found = edge.rpc.call(&GetConversation { user: socket.user, conversation }).await?;
    let participants = found.participants.unwrap_or_default();
    let people: Arc<[UserId]> = participants.iter().take(limits::JOINED_ONLINE).map(|p| p.user).collect();
    // Registered before it is looked: what changes from here on is told.
    register(edge, socket, conversation, people.clone())?;
    // Without the shared state nobody is known to be online; it is told when it is back.
    let presences = edge.shared.presence(&people).await.unwrap_or_default();
    edge.told.begin(&presences);
    Ok(ServerFrame::Joined {
        id,
        conversation_id: conversation,
        head_seq: found.head,
        read_seq: found.read,
        online: presences.iter().filter(|p| p.online).map(|p| p.user).collect(),
    })
}

fn register(
    edge: &Edge,
    socket: &Arc<Socket>,
    conversation: ConversationId,
    people: Arc<[UserId]>,
) -> Result<(), ApiError> {
    let mut joined = socket.joined.lock();
    if joined.len() >= limits::JOINED && !joined.contains_key(&conversation) {
        let rule = format!("at most {} conversations are joined at once: leave one first", limits::JOINED);
        return Err(ApiError::new(Code::Conflict, rule));
    }
    joined.entry(conversation).or_insert(None);
    drop(joined);
    // A socket whose room is not here yet is being added to it right now; then it may ask again.
    if edge.hub.with_room(conversation, |room| room.watch(socket, people)) == Some(true) {
        return Ok(());
    }
    socket.joined.lock().remove(&conversation);
    Err(Code::Unavailable.into())
}

pub fn leave(edge: &Edge, socket: &Arc<Socket>, conversation: ConversationId) {
    socket.joined.lock().remove(&conversation);
    edge.hub.with_room(conversation, |room| room.unwatch(socket));
}

/// Passes typing on, at most once in [`limits::TYPING_EVERY`], and its end once.
pub async fn typing(
    edge: &Edge,
    socket: &Socket,
    conversation: ConversationId,
    on: bool,
) -> Result<(), ApiError> {
    {
        let mut joined = socket.joined.lock();
        let Some(said) = joined.get_mut(&conversation) else {
            return Err(ApiError::new(Code::Forbidden, "join the conversation first"));
        };
        let lately = said.is_some_and(|at| at.elapsed() < limits::TYPING_EVERY);
        match (on, lately) {
            (true, true) => return Ok(()),
            (true, false) => *said = Some(Instant::now()),
            (false, _) if said.is_none() => return Ok(()),
            // Kept while it is young: alternating does not pass on more than typing does.
            (false, _) => {}
        }
    }
    let partition = Partition::of(conversation, edge.deployment.partitions);
    let payload = postcard::to_allocvec(&Typing { user: socket.user, on }).unwrap_or_default();
    if let Err(error) = edge.live.publish(subject::signal(partition, conversation), payload.into()).await {
        tracing::debug!(%conversation, %error, "typing was not told");
    }
    Ok(())
}
