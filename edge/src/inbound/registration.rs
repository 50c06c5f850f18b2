//! Where a live socket is entered, and the guard that takes it out again.

use std::{ops::Deref, sync::Arc};

use natter_schemas::code::Code;

use crate::{
    outbound::{
        hub::Hub,
        sockets::{Socket, Sockets},
    },
    presence::Heartbeats,
};

/// All that a socket is entered into.
pub struct Registry {
    pub sockets: Arc<Sockets>,
    pub hub: Arc<Hub>,
    pub heartbeats: Heartbeats,
}

impl Registry {
    /// Enters a socket; one of its user's goes for it when there are too many here. It stays until the guard is dropped.
    pub fn register(self: &Arc<Self>, socket: Arc<Socket>) -> Registration {
        if let Some(replaced) = self.sockets.add(&socket) {
            replaced.queue.close(Code::TooManySockets);
        }
        Registration { registry: self.clone(), socket }
    }
}

/// A socket that is entered. Dropping this takes it out of everything: the list of sockets (and its gauge), every
/// room, presence. Whatever ends the work on a socket (a timeout, a cancellation, a panic) drops it.
#[must_use]
pub struct Registration {
    registry: Arc<Registry>,
    socket: Arc<Socket>,
}

impl Deref for Registration {
    type Target = Arc<Socket>;

    fn deref(&self) -> &Arc<Socket> {
        &self.socket
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.sockets.remove(&self.socket);
        self.registry.hub.unsubscribe_all(&self.socket);
        self.registry.heartbeats.leave(&self.socket.heartbeat);
    }
}
