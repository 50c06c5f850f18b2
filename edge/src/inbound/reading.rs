//! Read marks of a socket: every `read` is answered, but a scrolling reader's marks reach the inbox service at
//! most twice a second for a conversation. The newest one speaks for those before it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use schemas::{
    frame::{RequestId, ServerFrame},
    id::{ConversationId, Seq},
    rpc::{Mark, MarkRead},
};

use crate::{app::Edge, rest::mark_read, sockets::Socket};

/// Between two marks of one socket and conversation.
const EVERY: Duration = Duration::from_millis(500);

/// Conversations whose marks a socket remembers; older ones are asked anew.
const KNOWN: usize = 1_000;

/// What a socket has read of a conversation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// The highest seq it said.
    said: Seq,
    /// The last mark made for it, what it was made of, and when.
    made: Option<(Seq, Mark, Instant)>,
}

/// Notes a `read` as it comes in, before its turn: a mark made meanwhile covers it.
pub fn heard(socket: &Socket, conversation: ConversationId, seq: Seq) {
    let mut reading = socket.reading.lock();
    if reading.len() >= KNOWN {
        reading.retain(|_, known| known.made.is_some_and(|(_, _, at)| at.elapsed() < EVERY));
    }
    let reading = reading.entry(conversation).or_default();
    reading.said = reading.said.max(seq);
}

/// Answers one `read`, in its lane: with the last mark if that covers it, else with a new one.
pub async fn read(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    id: Option<RequestId>,
    conversation: ConversationId,
    seq: Seq,
) {
    let known = socket.reading.lock().get(&conversation).copied().unwrap_or_default();
    if let Some((_, _, at)) = known.made.filter(|(asked, ..)| *asked < seq) {
        tokio::time::sleep(EVERY.saturating_sub(at.elapsed())).await;
    }
    let frame = match mark(edge, socket, conversation, seq).await {
        Ok(mark) => ServerFrame::ReadAck {
            id,
            conversation_id: conversation,
            seq: mark.seq,
            unread_count: mark.unread,
        },
        Err(refusal) => refusal.frame(id),
    };
    socket.outbox.offer(&frame);
}

async fn mark(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    conversation: ConversationId,
    seq: Seq,
) -> Result<Mark, crate::refusal::Refusal> {
    let known = socket.reading.lock().get(&conversation).copied().unwrap_or_default();
    if let Some((_, mark, _)) = known.made.filter(|(asked, _, at)| *asked >= seq && at.elapsed() < EVERY) {
        return Ok(mark);
    }
    let asked = known.said.max(seq);
    let made = mark_read(edge, MarkRead { user: socket.user, conversation, seq: asked }).await?;
    let mut reading = socket.reading.lock();
    reading.entry(conversation).or_default().made = Some((asked, made, Instant::now()));
    Ok(made)
}
