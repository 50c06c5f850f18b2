//! Brings the live sockets of a user in line with a membership that changed.

use std::{sync::Arc, time::Duration};

use natter_nats::service::RpcClient;
use natter_runtime::lifecycle::Lifecycle;
use natter_schemas::{
    backoff::Backoff,
    code::Code,
    frame::ServerFrame,
    id::{Seq, UserId},
    limits,
    rpc::{Conversation, GetConversation, GetPage, Membership, Page, RpcError, Window},
};
use natter_seal::DataKeys;
use tracing::warn;

use crate::{
    membership::Members,
    outbound::{
        catch_up::{CatchUp, Position},
        hub::Hub,
        sockets::{Socket, Sockets},
    },
    wire::encode,
};

/// Between attempts to announce a new conversation to a socket.
const RETRY: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// With their waits, 11 to 22 s: longer than a worker takes to start again.
const ATTEMPTS: u32 = 7;

#[derive(Clone)]
pub struct MembershipUpdates {
    pub members: Arc<Members>,
    pub sockets: Arc<Sockets>,
    pub hub: Arc<Hub>,
    pub catch_up: Arc<CatchUp>,
    pub rpc: RpcClient,
    pub keys: DataKeys,
    pub lifecycle: Lifecycle,
}

impl MembershipUpdates {
    /// Applies a membership unless something newer is known.
    pub async fn apply(&self, user: UserId, membership: Membership) {
        if !self.members.apply(user, membership).await {
            return;
        }
        for socket in self.sockets.of_user(user) {
            self.update_socket(socket, membership);
        }
    }

    fn update_socket(&self, socket: Arc<Socket>, membership: Membership) {
        let in_room = socket.rooms.lock().ids.contains(&membership.conversation);
        match membership.role {
            // A change of role is an event of the conversation's log; the rooms stay.
            Some(_) if in_room => {}
            Some(_) => {
                let updates = self.clone();
                self.lifecycle.tracker().spawn(async move { updates.add(&socket, membership).await });
            }
            None => {
                self.hub.unsubscribe(&socket, membership.conversation);
                let conversation_id = membership.conversation;
                socket.queue.send(&ServerFrame::ConversationRemoved { conversation_id });
            }
        }
    }

    /// Announces a new conversation to a socket, then sends everything that happened in it since. Until it is known
    /// where the room begins its events wait, so there is time to try again.
    async fn add(&self, socket: &Arc<Socket>, membership: Membership) {
        let conversation = membership.conversation;
        if !socket.queue.hold(conversation) {
            return;
        }
        let mut backoff = Backoff::new(RETRY, RETRY_MAX);
        while backoff.failures() < ATTEMPTS {
            match self.announce(socket, membership).await {
                Ok(()) => {
                    let position = Position::At(membership.version);
                    if let Err(error) = self.catch_up.one(socket, conversation, position).await {
                        warn!(
                            %conversation, user = %socket.user, code = %error.code,
                            "events of a new conversation not sent; its client finds the gap and resumes"
                        );
                    }
                    return;
                }
                // Added and removed again before it could be announced.
                Err(error) if error.code == Code::NotFound => {
                    self.hub.unsubscribe(socket, conversation);
                    return socket.queue.abandon(conversation);
                }
                Err(error) => {
                    warn!(%conversation, user = %socket.user, %error, "new conversation not announced; trying again");
                }
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
        // Another node, or this one later, has it at the next hello.
        socket.queue.close(Code::Restarting);
    }

    async fn announce(&self, socket: &Arc<Socket>, membership: Membership) -> Result<(), RpcError> {
        let Membership { conversation, version, .. } = membership;
        self.hub.subscribe(socket, &[conversation]).await?;
        let mut found = self.rpc.call(&GetConversation { user: socket.user, conversation }).await?;
        if let Some(participants) = &mut found.participants {
            participants.truncate(limits::PARTICIPANTS_IN_FRAME);
        }
        let mut found = self.as_of(socket.user, found, version).await?;
        self.keys.for_reader(socket.user).open_messages(&mut found.last_message).await;
        let conversation = Box::new(encode::conversation(found));
        socket.queue.send(&ServerFrame::ConversationAdded { conversation });
        Ok(())
    }

    /// The conversation as it was when the member came: its head is the position after which every event is sent, and
    /// what these events bring is not in it already. Nothing before was unread for the new member.
    async fn as_of(
        &self,
        user: UserId,
        mut view: Conversation,
        begin: Seq,
    ) -> Result<Conversation, RpcError> {
        if view.head <= begin {
            return Ok(Conversation { head: begin, ..view });
        }
        if view.last_message.as_ref().is_some_and(|message| message.seq > begin) {
            let page = Page { conversation: view.id, window: Window::Before(begin), limit: limits::PREVIEW };
            view.last_message = self.rpc.call(&GetPage { user, page }).await?.preview();
        }
        Ok(Conversation { head: begin, unread: 0, ..view })
    }
}
