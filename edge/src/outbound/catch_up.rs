//! What a socket missed while it was away: every later event of a conversation, in order, before live traffic
//! of it goes on; or the word that it should load the newest page.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use natter_schemas::{
    frame::{Positions, ServerFrame},
    id::{ConversationId, Seq},
    limits,
    rpc::{EventsAfter, Heads, RpcError},
};

use super::encode;
use crate::{api_error::ApiError, app::Edge, sockets::Socket};

/// Conversations of one socket caught up at once.
const AT_ONCE: usize = 8;

/// JetStream counts with 64 bits, stores keep 63 of them.
const SEQ_MAX: Seq = i64::MAX.unsigned_abs();

/// Where a catch-up begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// After this seq.
    Seq(Seq),
    /// The client's positions are of another epoch: they say nothing.
    Unknown,
}

/// Holds live traffic of the conversations back; call it before the socket joins their rooms.
pub fn hold(socket: &Socket, positions: &Positions) -> Vec<(ConversationId, Seq)> {
    positions.iter().filter(|(c, _)| socket.outbox.hold(**c)).map(|(c, seq)| (*c, *seq)).collect()
}

/// Catches up every held conversation. The socket must have joined those it is a member of.
pub async fn all(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    held: Vec<(ConversationId, Seq)>,
    same_epoch: bool,
) -> Result<(), ApiError> {
    let mut running = stream::iter(held.into_iter().map(|(conversation, seq)| {
        let from = if same_epoch { From::Seq(seq) } else { From::Unknown };
        one(edge, socket, conversation, from)
    }))
    .buffer_unordered(AT_ONCE);
    let mut result = Ok(());
    while let Some(done) = running.next().await {
        result = result.and(done);
    }
    result
}

/// Catches up one held conversation and lets its live traffic go on, whatever happens.
pub async fn one(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    conversation: ConversationId,
    from: From,
) -> Result<(), ApiError> {
    let sent = match edge.members.of_one(socket.user, conversation).await {
        Ok(_) => missed(edge, socket, conversation, from).await,
        Err(refused) if refused.code == natter_schemas::code::Code::NotFound => {
            // Whether it never was or is no longer: the client has nothing to keep of it.
            socket.outbox.offer(&ServerFrame::ConversationRemoved { conversation_id: conversation });
            Ok(0)
        }
        Err(refused) => Err(refused),
    };
    match sent {
        Ok(seq) => {
            socket.outbox.release(conversation, seq);
            Ok(())
        }
        Err(refused) => {
            // Live events that waited would leave a hole: the client must ask again from where it is.
            socket.outbox.give_up(conversation);
            Err(refused.into())
        }
    }
}

/// Tells the client to drop what it holds and load the newest page; from the head on it gets everything.
async fn reload(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    conversation: ConversationId,
) -> Result<Seq, RpcError> {
    let heads = edge.rpc.call(&Heads { conversations: vec![conversation] }).await?;
    let head = heads.first().copied().unwrap_or(0);
    socket.outbox.room().await;
    socket.outbox.offer(&ServerFrame::ResumeGap { conversation_id: conversation, head_seq: head });
    Ok(head)
}

/// Queues the missed events; answers the seq up to which the socket now has everything.
async fn missed(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    conversation: ConversationId,
    from: From,
) -> Result<Seq, RpcError> {
    let after = match from {
        From::Seq(seq) if seq <= SEQ_MAX => seq,
        _ => return reload(edge, socket, conversation).await,
    };
    let replay = edge.rpc.call(&EventsAfter { conversation, after, limit: limits::RESUME_EVENTS }).await?;
    // A position past the head is of some other log: nothing can be said to follow it.
    if replay.more || after > replay.head {
        return reload(edge, socket, conversation).await;
    }
    let mut prev = if replay.anchored { after } else { 0 };
    let mut sent = after;
    for logged in &replay.events {
        socket.outbox.room().await;
        socket.outbox.push(encode::event(logged, prev));
        prev = logged.seq;
        sent = logged.seq;
    }
    Ok(sent)
}
