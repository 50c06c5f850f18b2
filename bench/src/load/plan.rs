//! What a generator is given: the sockets of a target, and what they are to send.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::dialect::{ClientIdentity, Dialect};

/// One socket of the load.
#[derive(Debug, Clone)]
pub struct ClientSpec {
    pub who: ClientIdentity,
    /// Index of the address it connects to, modulo their number.
    pub address: usize,
    /// Indices into the dataset's rooms, each with its head. None: a visitor, whose events are not checked.
    pub rooms: Vec<(u32, u64)>,
}

/// Everything a generator needs before it starts.
#[derive(Clone)]
pub struct GeneratorConfig {
    pub dialect: &'static dyn Dialect,
    pub sockets: Vec<SocketAddr>,
    pub http: SocketAddr,
    pub rooms: Vec<String>,
    pub clients: Vec<ClientSpec>,
    /// Join rooms for typing and presence, where messages need no join.
    pub join: bool,
    /// Sockets ask for receive buffers of some KiB.
    pub small_buffers: bool,
    /// The core it stays on.
    pub core: Option<usize>,
}

/// Who writes where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    pub socket: u32,
    pub room: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Socket,
    Http,
}

/// What is sent, and when.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Messages per second, all senders together.
    pub rate: f64,
    pub lasting: Duration,
    /// Of a message's content.
    pub bytes: usize,
    pub transport: Transport,
    /// Taken one after the other, again and again.
    pub senders: Arc<[Sender]>,
    /// Senders are seen typing a second before a message.
    pub typing: bool,
    /// The share of deliveries that a read mark follows.
    pub read_share: f64,
    /// Pages of history requested per second.
    pub pages: f64,
    /// Log-ins per second.
    pub logins: f64,
    /// Connects and disconnects of visitors per second.
    pub visits: f64,
    /// Wait until everything in flight is acked and delivered.
    pub settle: bool,
}

impl Plan {
    pub fn new(rate: f64, lasting: Duration, bytes: usize, senders: Arc<[Sender]>) -> Self {
        let transport = Transport::Socket;
        let (typing, read_share, pages, logins, visits) = (false, 0.0, 0.0, 0.0, 0.0);
        Self {
            rate,
            lasting,
            bytes,
            transport,
            senders,
            typing,
            read_share,
            pages,
            logins,
            visits,
            settle: true,
        }
    }
}
