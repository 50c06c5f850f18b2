//! What a socket missed while it was away: every later event of a conversation, in order, before live traffic of
//! it goes on; or `resume:gap`, after which the client loads the newest page.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use natter_nats::service::RpcClient;
use natter_schemas::{
    code::Code,
    frame::{Positions, ServerFrame},
    id::{ConversationId, Seq},
    rpc::{GetHead, RpcError},
};
use natter_seal::DataKeys;

use super::{missed::Missed, sockets::Socket};
use crate::{admission::Admission, api_error::ApiError, membership::Members, wire::encode};

/// Conversations of one socket caught up at once: with 64 KiB of events each, as much as may wait for it.
const AT_ONCE: usize = 4;

/// JetStream counts with 64 bits, stores keep 63 of them.
const SEQ_MAX: Seq = i64::MAX.unsigned_abs();

/// Where a catch-up begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// After this seq.
    At(Seq),
    /// The client's positions are of another epoch and mean nothing in this one.
    OtherEpoch,
}

/// A resume whose conversations are held and wait to be caught up.
pub struct PendingResume {
    held: Vec<(ConversationId, Seq)>,
    same_epoch: bool,
}

/// Holds live traffic of the conversations back; call it before the socket enters their rooms.
pub fn hold(socket: &Socket, positions: &Positions, same_epoch: bool) -> PendingResume {
    let held = positions.iter().filter(|(c, _)| socket.queue.hold(**c)).map(|(c, seq)| (*c, *seq)).collect();
    PendingResume { held, same_epoch }
}

pub struct CatchUp {
    members: Arc<Members>,
    admission: Arc<Admission>,
    rpc: RpcClient,
    keys: DataKeys,
}

impl CatchUp {
    pub fn new(members: Arc<Members>, admission: Arc<Admission>, rpc: RpcClient, keys: DataKeys) -> Self {
        Self { members, admission, rpc, keys }
    }

    /// Catches up every held conversation. The socket must be in the rooms of those it is a member of.
    pub async fn all(&self, socket: &Arc<Socket>, resume: PendingResume) -> Result<(), ApiError> {
        let PendingResume { held, same_epoch } = resume;
        let mut running = stream::iter(held.into_iter().map(|(conversation, seq)| {
            let position = if same_epoch { Position::At(seq) } else { Position::OtherEpoch };
            self.one(socket, conversation, position)
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
        &self,
        socket: &Arc<Socket>,
        conversation: ConversationId,
        position: Position,
    ) -> Result<(), ApiError> {
        let sent = match self.members.access(socket.user, conversation).await {
            Ok(_) => self.send_missed(socket, conversation, position).await,
            Err(error) if error.code == Code::NotFound => {
                // Never a member or no longer one: in both cases the client has nothing to keep of it.
                socket.queue.send(&ServerFrame::ConversationRemoved { conversation_id: conversation });
                Ok(0)
            }
            Err(error) => Err(error),
        };
        match sent {
            Ok(seq) => {
                socket.queue.release(conversation, seq);
                Ok(())
            }
            Err(error) => {
                // Live events that waited would leave a gap: the client must ask again from where it is.
                socket.queue.abandon(conversation);
                Err(error.into())
            }
        }
    }

    /// Makes the client drop what it holds and load the newest page; from the head on it gets everything.
    async fn reload(&self, socket: &Arc<Socket>, conversation: ConversationId) -> Result<Seq, RpcError> {
        let head = self.rpc.call(&GetHead { user: socket.user, conversation }).await?;
        socket.queue.wait_for_room().await;
        socket.queue.send(&ServerFrame::ResumeGap { conversation_id: conversation, head_seq: head });
        Ok(head)
    }

    /// Queues the missed events, and asks for them, as those before are read; returns the seq up to which the socket now
    /// has everything.
    async fn send_missed(
        &self,
        socket: &Arc<Socket>,
        conversation: ConversationId,
        position: Position,
    ) -> Result<Seq, RpcError> {
        let after = match position {
            Position::At(seq) if seq <= SEQ_MAX => seq,
            _ => return self.reload(socket, conversation).await,
        };
        // 0 before the first event of a position that may not be one of this conversation.
        let mut prev = 0;
        let mut missed = Missed::by_user(socket.user, conversation, after);
        let limits = self.admission.of_user(socket.user).await;
        let mut turn = None;
        while socket.queue.wait_for_room().await {
            let after = missed.after;
            let replay = {
                let _asks = limits.replay().await;
                missed.next(&self.rpc, &self.keys).await?
            };
            // A position past the head belongs to some other log: nothing is known to follow it.
            if replay.more || after > replay.head {
                return self.reload(socket, conversation).await;
            }
            if turn.is_none() && !replay.events.is_empty() && !socket.queue.has_room() {
                // The parts of all that are under way would wait in memory, for as long as the client does not read.
                // One may; the others are asked for again in their turn.
                missed.after = after;
                turn = Some(socket.queue.turn().await);
                continue;
            }
            if replay.anchored {
                prev = after;
            }
            for entry in &replay.events {
                socket.queue.wait_for_room().await;
                socket.queue.push(encode::event(entry, prev, replay.deleted_at(entry)));
                prev = entry.seq;
            }
            if !replay.cut {
                break;
            }
        }
        Ok(missed.after)
    }
}
