//! The first frame becomes an authenticated socket in the rooms of its user, with nothing lost between the
//! moment it is welcomed and the first event it gets.

use std::{collections::HashSet, sync::Arc};

use natter_schemas::{
    code::Code,
    event::Timestamp,
    frame::{LimitsView, Positions, Resume, ServerFrame},
    id::{ConversationId, EventId, Seq},
    limits,
    rpc::{Heads, RpcError},
};

use crate::{api_error::ApiError, app::Edge, auth::Identity, outbound::catch_up, sockets::Socket};

/// A socket that said hello.
pub struct Opened {
    pub socket: Arc<Socket>,
    pub identity: Identity,
    /// What it missed, its live traffic held back until it has it; `None` when it asked for nothing.
    pub resume: Option<Missed>,
}

pub struct Missed {
    pub held: Vec<(ConversationId, Seq)>,
    pub same_epoch: bool,
}

/// Checks the token, joins the rooms, queues `welcome`. Nothing is written before it returns.
pub async fn open(
    edge: &Arc<Edge>,
    token: &str,
    device: Option<String>,
    resume: Option<Resume>,
) -> Result<Opened, ApiError> {
    let identity = edge.tokens.verify(token)?;
    if edge.control.has_ended(identity.session).await {
        return Err(Code::SessionRevoked.into());
    }
    let device = device.unwrap_or_else(|| EventId::fresh().to_string());
    let socket = Arc::new(Socket::new(identity.user, identity.session, device));
    socket.outbox.offer(&welcome(edge, &socket));
    edge.sockets.add(&socket)?;
    match join_all(edge, &socket, resume).await {
        Ok(resume) => {
            edge.presence.heartbeat(&socket.heartbeat);
            Ok(Opened { socket, identity, resume })
        }
        Err(refused) => {
            close(edge, &socket);
            Err(refused.into())
        }
    }
}

/// Takes the socket out of everything.
pub fn close(edge: &Arc<Edge>, socket: &Arc<Socket>) {
    edge.sockets.remove(socket);
    edge.presence.leave(&socket.heartbeat);
    edge.hub.leave_all(socket);
}

async fn join_all(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    resume: Option<Resume>,
) -> Result<Option<Missed>, RpcError> {
    // Live traffic is held before the rooms are joined, so that it cannot overtake what was missed.
    let missed = resume.map(|resume| Missed {
        same_epoch: resume.epoch == edge.deployment.epoch,
        held: catch_up::hold(socket, &resume.positions),
    });
    let memberships = edge.members.of(socket.user).await?;
    let conversations: Vec<_> = memberships.iter().map(|m| m.conversation).collect();
    let unknown = edge.hub.join(socket, &conversations);
    begin(edge, unknown).await?;
    // A removal heard between the look-up and the join found no room to take the socket out of.
    let still: HashSet<_> = edge.members.of(socket.user).await?.iter().map(|m| m.conversation).collect();
    for gone in conversations.iter().filter(|conversation| !still.contains(conversation)) {
        edge.hub.leave(socket, *gone);
    }
    Ok(missed)
}

/// Asks where rooms begin that this edge did not have. Events that arrive meanwhile wait in the room.
pub async fn begin(edge: &Arc<Edge>, conversations: Vec<ConversationId>) -> Result<(), RpcError> {
    for part in conversations.chunks(limits::RESUME_POSITIONS) {
        let heads = edge.rpc.call(&Heads { conversations: part.to_vec() }).await?;
        for (conversation, head) in part.iter().zip(heads) {
            edge.hub.begin(*conversation, head);
        }
    }
    Ok(())
}

fn welcome(edge: &Edge, socket: &Socket) -> ServerFrame {
    ServerFrame::Welcome {
        user_id: socket.user,
        session_id: socket.session,
        device_id: socket.device.clone(),
        epoch: edge.deployment.epoch.clone(),
        heartbeat_ms: u64::try_from(limits::PING_EVERY.as_millis()).unwrap_or(u64::MAX),
        server_time: Timestamp::now(),
        limits: LimitsView {
            content_bytes: edge.config.limits.content,
            frame_bytes: edge.config.limits.frame,
            resume_positions: edge.config.limits.resume_positions(),
            resume_events: limits::RESUME_EVENTS,
            pending_requests: limits::SOCKET_PENDING,
        },
    }
}

/// A resume on an open socket.
pub fn missed(socket: &Socket, positions: &Positions) -> Missed {
    Missed { held: catch_up::hold(socket, positions), same_epoch: true }
}
