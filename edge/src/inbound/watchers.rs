//! Joining and leaving a conversation: from `join` on its typing and presence flow to the socket.

use std::sync::Arc;

use natter_nats::service::RpcClient;
use natter_runtime::shared_state::{Presence, SharedState};
use natter_schemas::{
    code::Code,
    id::{ConversationId, UserId},
    limits,
    rpc::{Conversation, GetConversation},
};

use crate::{
    api_error::ApiError,
    membership::Members,
    outbound::{hub::Hub, sockets::Socket},
    presence::KnownPresence,
};

/// The sockets that watch conversations.
pub struct Watchers {
    pub members: Arc<Members>,
    pub rpc: RpcClient,
    pub hub: Arc<Hub>,
    pub shared: Arc<dyn SharedState>,
    pub known: Arc<KnownPresence>,
}

impl Watchers {
    /// Adds the socket; returns the conversation, and the presence of its members.
    pub async fn join(
        &self,
        socket: &Arc<Socket>,
        conversation: ConversationId,
    ) -> Result<(Conversation, Vec<Presence>), ApiError> {
        let access = self.members.access(socket.user, conversation).await?;
        let found = self.rpc.call(&GetConversation { user: socket.user, conversation }).await?;
        let participants = found.participants.iter().flatten();
        let users: Arc<[UserId]> = participants.take(limits::JOINED_ONLINE).map(|p| p.user).collect();
        // Added before presence is read: whatever changes from here on is sent.
        self.add(socket, conversation, users.clone())?;
        // A block can be lifted while the socket watches, so the other is watched, and only not shown.
        let shown: Arc<[UserId]> = if access.blocked { Arc::from([socket.user]) } else { users };
        // While the shared state is away no user is known to be online; changes are sent when it is back.
        let presences = self.shared.presence(&shown).await.unwrap_or_else(|error| {
            tracing::debug!(%conversation, %error, "joined without presence");
            Vec::new()
        });
        self.known.start_with(&presences);
        Ok((found, presences))
    }

    fn add(
        &self,
        socket: &Arc<Socket>,
        conversation: ConversationId,
        users: Arc<[UserId]>,
    ) -> Result<(), ApiError> {
        let mut joined = socket.joined.lock();
        if joined.len() >= limits::JOINED && !joined.contains_key(&conversation) {
            let rule =
                format!("at most {} conversations are joined at once: leave one first", limits::JOINED);
            return Err(ApiError::new(Code::Conflict, rule));
        }
        joined.entry(conversation).or_insert(None);
        drop(joined);
        // A socket that is not in the room yet is being added to it right now; then it may ask again.
        if self.hub.with_room(conversation, |room| room.watch(socket, users)) == Some(true) {
            return Ok(());
        }
        socket.joined.lock().remove(&conversation);
        Err(Code::Unavailable.into())
    }

    pub fn leave(&self, socket: &Arc<Socket>, conversation: ConversationId) {
        socket.joined.lock().remove(&conversation);
        self.hub.with_room(conversation, |room| room.unwatch(socket));
    }
}
