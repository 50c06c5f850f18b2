//! Read marks of a socket: every `read` is answered, but a scrolling reader's marks reach the inbox service at
//! most twice a second for a conversation. The newest one speaks for those before it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use natter_schemas::{
    frame::{RequestId, ServerFrame},
    id::{ConversationId, Seq},
    rpc::{Mark, MarkRead},
};

use crate::{api_error::ApiError, app::Edge, rest::mark_read, sockets::Socket};

/// Between two marks of one socket and conversation.
const EVERY: Duration = Duration::from_millis(500);

/// Conversations whose marks a socket remembers; older ones are asked anew.
const KNOWN: usize = 1_000;

/// What a socket has read of a conversation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// The highest seq it said since the last mark was begun.
    said: Seq,
    /// The last mark made for it, what it was made of, and when it was begun.
    made: Option<(Seq, Mark, Instant)>,
}

/// Notes a `read` as it comes in, before its turn: a mark made from now on covers it.
pub fn heard(socket: &Socket, conversation: ConversationId, seq: Seq) -> Instant {
    let now = Instant::now();
    let mut reading = socket.reading.lock();
    if reading.len() >= KNOWN {
        reading.retain(|_, known| known.made.is_some_and(|(_, _, at)| at.elapsed() < EVERY));
    }
    let reading = reading.entry(conversation).or_default();
    reading.said = reading.said.max(seq);
    now
}

/// Answers one `read`, in its lane.
pub async fn read(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    id: Option<RequestId>,
    conversation: ConversationId,
    (seq, heard): (Seq, Instant),
) {
    let frame = match mark(edge, socket, conversation, seq, heard).await {
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

/// The last mark if it was begun after this `read` came, else a new one: an older count may lack what was said,
/// or read on another device, in between.
async fn mark(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    conversation: ConversationId,
    seq: Seq,
    heard: Instant,
) -> Result<Mark, ApiError> {
    let known = socket.reading.lock().get(&conversation).copied().unwrap_or_default();
    if let Some((asked, mark, begun)) = known.made {
        if begun >= heard && asked >= seq {
            return Ok(mark);
        }
        tokio::time::sleep(EVERY.saturating_sub(begun.elapsed())).await;
    }
    let begun = Instant::now();
    // Taken, not kept: what was said past the end must not read what comes there later.
    let said =
        socket.reading.lock().get_mut(&conversation).map_or(0, |reading| std::mem::take(&mut reading.said));
    let said = said.max(seq);
    let made = mark_read(edge, MarkRead { user: socket.user, conversation, seq: said }).await?;
    let mut reading = socket.reading.lock();
    reading.entry(conversation).or_default().made = Some((said, made, begun));
    Ok(made)
}
