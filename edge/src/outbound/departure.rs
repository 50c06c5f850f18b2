//! When each socket leaves a node that drains: one after the other, so that the clients who come back elsewhere do not
//! arrive there at the same moment.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use natter_schemas::{id::SessionId, limits};

use super::sockets::{Socket, Sockets};

/// Of a node. Cheap until it drains.
pub struct Departure {
    /// The longest it may take.
    most: Duration,
    begun: OnceLock<Begun>,
}

struct Begun {
    at: Instant,
    /// How long it takes.
    spread: Duration,
}

impl Departure {
    /// All sockets leave within `most`; sooner, if there are few.
    pub fn new(most: Duration) -> Self {
        Self { most, begun: OnceLock::new() }
    }

    /// When this socket leaves. The drain begins with the first one that asks.
    pub fn time_of(&self, socket: &Socket, sockets: &Sockets) -> Instant {
        let Begun { at, spread } = self.begun.get_or_init(|| {
            let count = u32::try_from(sockets.count()).unwrap_or(u32::MAX);
            Begun { at: Instant::now(), spread: self.most.min(limits::SOCKET_LEAVES.saturating_mul(count)) }
        });
        *at + spread.mul_f64(share(socket.session, 13))
    }
}

/// How long the client of this socket waits before it comes back.
pub fn retry_after(socket: &Socket) -> Duration {
    let (least, most) = limits::COMES_BACK.into_inner();
    least + most.saturating_sub(least).mul_f64(share(socket.session, 15))
}

/// From 0 to 1, by one of the random bytes of a session's id.
fn share(session: SessionId, byte: usize) -> f64 {
    f64::from(session.as_bytes()[byte]) / 256.0
}
