//! The first frame becomes an authenticated socket in the rooms of its user, with nothing lost between the
//! moment it is welcomed and the first event it gets.

use std::{collections::HashSet, sync::Arc};

use natter_nats::clock::LogClock;
use natter_schemas::{
    code::Code,
    frame::{LimitsView, Resume, ServerFrame},
    id::EventId,
    limits::{self, Limits},
    rpc::RpcError,
};

use super::{
    client_id_prefixes::{ClientIdPrefixes, SocketPrefix},
    registration::{Registration, Registry},
};
use crate::{
    admission::{Admission, UserLimits},
    api_error::ApiError,
    auth::{Identity, Tokens},
    costs,
    feeds::control::{CUT_OFF, ControlState},
    held_tokens::HeldTokens,
    membership::Members,
    outbound::{
        catch_up::{self, PendingResume},
        sockets::Socket,
    },
    revoked_sessions::RevokedSessions,
};

/// Accepts sockets.
pub struct Hello {
    pub tokens: Arc<Tokens>,
    pub revoked: Arc<RevokedSessions>,
    pub held: Arc<HeldTokens>,
    pub control: Arc<ControlState>,
    pub admission: Arc<Admission>,
    pub members: Arc<Members>,
    pub registry: Arc<Registry>,
    pub prefixes: Arc<ClientIdPrefixes>,
    pub clock: LogClock,
    pub epoch: String,
    pub limits: Limits,
}

/// A socket whose hello was accepted.
pub struct Accepted {
    pub registration: Registration,
    pub identity: Identity,
    /// The tokens that its frames take.
    pub limits: Arc<UserLimits>,
    pub prefix: SocketPrefix,
    /// What it missed, its live traffic held back until it has it; `None` when it asked for nothing.
    pub resume: Option<PendingResume>,
}

impl Hello {
    /// Checks the token, registers the socket, enters the rooms, queues `welcome`. Nothing is written before this
    /// returns, and nothing of the socket stays behind when it fails or is dropped.
    pub async fn accept(
        &self,
        token: &str,
        device: Option<String>,
        resume: Option<Resume>,
    ) -> Result<Accepted, ApiError> {
        let identity = self.tokens.verify_for_socket(token)?;
        if self.revoked.contains(identity.session).await {
            return Err(Code::SessionRevoked.into());
        }
        if self.control.is_cut_off() {
            return Err(ApiError::new(Code::Unavailable, CUT_OFF));
        }
        let limits = self.admission.of_user(identity.user).await;
        limits.take(costs::of_hello(resume.as_ref()))?;
        self.held.put(&identity, token);
        let device = device.unwrap_or_else(|| EventId::fresh().to_string());
        let socket = Arc::new(Socket::new(identity.user, identity.session, device));
        let prefix = SocketPrefix::new(self.prefixes.clone());
        socket.queue.send(&self.welcome(&socket, &prefix));
        let registration = self.registry.register(socket);
        let resume = self.enter_rooms(&registration, resume).await?;
        self.registry.heartbeats.send(&registration.heartbeat);
        Ok(Accepted { registration, identity, limits, prefix, resume })
    }

    async fn enter_rooms(
        &self,
        socket: &Arc<Socket>,
        resume: Option<Resume>,
    ) -> Result<Option<PendingResume>, RpcError> {
        // Live traffic is held before the rooms are entered, so that it cannot overtake what was missed.
        let pending =
            resume.map(|resume| catch_up::hold(socket, &resume.positions, resume.epoch == self.epoch));
        let memberships = self.members.memberships(socket.user).await?;
        let conversations: Vec<_> = memberships.iter().map(|m| m.conversation).collect();
        self.registry.hub.subscribe(socket, &conversations).await?;
        // A removal that came between the look-up and the rooms found no room to take the socket out of.
        let current: HashSet<_> =
            self.members.memberships(socket.user).await?.iter().map(|m| m.conversation).collect();
        for gone in conversations.iter().filter(|conversation| !current.contains(conversation)) {
            self.registry.hub.unsubscribe(socket, *gone);
        }
        Ok(pending)
    }

    fn welcome(&self, socket: &Socket, prefix: &SocketPrefix) -> ServerFrame {
        ServerFrame::Welcome {
            user_id: socket.user,
            session_id: socket.session,
            device_id: socket.device.clone(),
            epoch: self.epoch.clone(),
            client_id_prefix: prefix.renew(),
            heartbeat_ms: u64::try_from(limits::PING_EVERY.as_millis()).unwrap_or(u64::MAX),
            server_time: self.clock.now(),
            limits: LimitsView {
                content_bytes: self.limits.content,
                frame_bytes: self.limits.frame,
                resume_positions: self.limits.resume_positions(),
                resume_events: limits::RESUME_EVENTS,
                pending_requests: limits::SOCKET_PENDING,
            },
        }
    }
}
