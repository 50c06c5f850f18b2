//! Those of a room's sockets that want typing and presence, and what they are sent of both.

use std::{sync::Arc, time::Instant};

use natter_schemas::{event::Kind, frame::ServerFrame, id::UserId, limits};

use super::Room;
use crate::{outbound::sockets::Socket, wire::frame::Frame};

impl Room {
    /// From here the socket gets typing and the presence of these users. False: it is not a socket of this room.
    pub fn watch(&mut self, socket: &Arc<Socket>, watched_users: Arc<[UserId]>) -> bool {
        let here = self.sockets.iter().any(|s| Arc::ptr_eq(s, socket));
        if here && !self.watchers.iter().any(|s| Arc::ptr_eq(s, socket)) {
            self.watchers.push(socket.clone());
        }
        if here {
            self.watched_users = watched_users;
        }
        here
    }

    /// Whose presence some socket here watches.
    pub fn watched_users(&self) -> Option<Arc<[UserId]>> {
        (!self.watchers.is_empty()).then(|| self.watched_users.clone())
    }

    /// Whose presence is watched follows who is in the conversation.
    pub(super) fn follow_members(&mut self, kind: &Kind) {
        if self.watchers.is_empty() {
            return;
        }
        let watched = self.watched_users.iter().copied();
        match kind {
            Kind::MemberAdded { user, .. } => {
                self.new_members.push(*user);
                self.watched_users = watched.filter(|other| other != user).chain([*user]).collect();
            }
            Kind::MemberRemoved { user } => {
                self.watched_users = watched.filter(|other| other != user).collect();
            }
            _ => {}
        }
    }

    /// Who was added while a socket here watched; each is returned once.
    pub fn take_new_members(&mut self) -> Vec<UserId> {
        std::mem::take(&mut self.new_members)
    }

    pub fn unwatch(&mut self, socket: &Arc<Socket>) {
        self.watchers.retain(|s| !Arc::ptr_eq(s, socket));
    }

    pub fn watchers(&self) -> &[Arc<Socket>] {
        &self.watchers
    }

    /// A user types or stops. Returns whether [`Self::expire_typing`] has something to end later.
    pub fn typing(&mut self, user: UserId, on: bool, now: Instant) -> bool {
        let before = self.typing.remove(&user);
        if on {
            self.typing.insert(user, now + limits::TYPING_EXPIRES);
        }
        if on || before.is_some() {
            self.send_typing(user, on);
        }
        !self.typing.is_empty()
    }

    /// Who has sent a message types no more: the message shows it.
    pub(super) fn end_typing(&mut self, author: UserId) {
        if self.typing.remove(&author).is_some() {
            self.send_typing(author, false);
        }
    }

    /// Ends typing that was not repeated in time. Returns whether a user still types.
    pub fn expire_typing(&mut self, now: Instant) -> bool {
        let expired: Vec<_> =
            self.typing.extract_if(|_, until| *until <= now).map(|(user, _)| user).collect();
        for user in expired {
            self.send_typing(user, false);
        }
        !self.typing.is_empty()
    }

    /// Not to the user's own devices.
    fn send_typing(&self, user: UserId, is_typing: bool) {
        let frame = ServerFrame::Typing { conversation_id: self.conversation, user_id: user, is_typing };
        let frame = Frame::text(&frame);
        for socket in self.watchers.iter().filter(|socket| socket.user != user) {
            socket.queue.push(frame.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use natter_nats::{clock::LogClock, trace::TraceRing};
    use natter_runtime::unreadable::Unreadable;
    use natter_schemas::id::{ConversationId, Partition, SessionId};
    use natter_seal::KnownKeys;

    use super::*;

    #[test]
    fn typing_goes_to_the_others_who_joined_and_ends_by_itself() {
        let conversation_id = ConversationId::fresh();
        let mut room = Room::new(
            conversation_id,
            Arc::new(Unreadable::new("event")),
            KnownKeys::keeping(limits::KEY_CACHED),
            LogClock::own(),
            TraceRing::default().at(Partition(0)),
        );
        let socket = Arc::new(Socket::new(UserId::fresh(), SessionId::fresh(), String::new()));
        room.subscribe(&socket);
        let (typist, now) = (UserId::fresh(), Instant::now());
        assert!(room.typing(typist, true, now));
        assert!(socket.queue.take().is_empty(), "sent to a socket that did not join");
        assert!(room.watch(&socket, Arc::new([typist])));
        assert!(room.typing(typist, true, now));
        assert!(room.typing(socket.user, true, now));
        assert!(room.expire_typing(now + limits::TYPING_EXPIRES / 2));
        assert!(!room.expire_typing(now + limits::TYPING_EXPIRES));
        assert!(!room.typing(typist, false, now));
        let typing = |is_typing| ServerFrame::Typing { conversation_id, user_id: typist, is_typing };
        assert_eq!(socket.queue.take(), [typing(true), typing(false)]);
        // A message ends it, once.
        assert!(room.typing(typist, true, now));
        room.end_typing(typist);
        room.end_typing(typist);
        assert!(!room.expire_typing(now + limits::TYPING_EXPIRES));
        assert_eq!(socket.queue.take(), [typing(true), typing(false)]);
    }
}
