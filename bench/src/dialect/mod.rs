//! How a target is spoken to. A dialect makes texts and reads texts; it holds nothing and knows no socket.

mod centrifugo; // commands and pushes as JSON lines, channels for rooms
mod natter; // docs/protocol.md; the bare relay speaks it too
mod socketio; // Engine.IO v4 packets around Socket.IO events; messages are posted over HTTP

use natter_schemas::id::Seq;
use uuid::Uuid;

use crate::{
    load::http::HttpRequest,
    oracle::{Guarantee, Number},
};

pub use centrifugo::Centrifugo;
pub use natter::Natter;
pub use socketio::SeedNode;

/// Who is on a socket.
#[derive(Debug, Clone, Default)]
pub struct ClientIdentity {
    pub username: String,
    pub token: String,
    pub device: String,
}

/// What a socket held when it was cut off: the epoch, and a seq a room.
#[derive(Debug, Clone, Default)]
pub struct ResumeState {
    pub epoch: String,
    pub positions: Vec<(String, Seq)>,
}

/// What a text of the server means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerMessage<'a> {
    /// It waits for our hello.
    Greeting,
    /// We are in. `epoch` and `prefix` where there is one.
    Welcome {
        epoch: Option<&'a str>,
        prefix: Option<&'a str>,
    },
    Joined,
    ResumeDone,
    /// Too much was missed to be sent again: the room is at `head` now.
    ResumeGap {
        room: &'a str,
        head: Seq,
    },
    /// An event of a room; `number` when it is a message of this run.
    Event {
        room: &'a str,
        seq: Seq,
        prev: Seq,
        number: Option<Number>,
    },
    Acked {
        number: Number,
        seq: Seq,
        id: Option<Uuid>,
        /// For the client ids of what this socket sends from now on.
        prefix: Option<&'a str>,
    },
    Rejected {
        number: Option<Number>,
        code: &'a str,
    },
    /// To be answered with this text.
    Ping(&'static str),
    /// Typing, presence, receipts and the like.
    Other,
}

/// What the HTTP response to a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpAck {
    pub seq: Seq,
    pub id: Option<Uuid>,
}

/// One message on its way out.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingMessage<'a> {
    pub number: Number,
    /// Of its client id, as the server wants it.
    pub prefix: &'a str,
    pub room: &'a str,
    pub content: &'a str,
}

pub trait Dialect: Send + Sync {
    fn guarantee(&self) -> Guarantee;
    fn path(&self) -> &'static str;
    fn subprotocol(&self) -> Option<&'static str> {
        None
    }

    /// Sent as soon as the connection is a WebSocket; `None`: after the server's greeting.
    fn first(&self, who: &ClientIdentity, resume: Option<&ResumeState>) -> Option<String>;
    fn after_greeting(&self, _who: &ClientIdentity) -> String {
        String::new()
    }
    /// Whether messages need a join.
    fn must_join(&self) -> bool {
        false
    }
    /// The nth join of a socket; `None` where there is nothing to join.
    fn join(&self, nth: usize, room: &str) -> Option<String>;

    /// `None`: not this protocol. A text may hold several.
    fn read<'a>(&self, text: &'a str) -> Option<ServerMessage<'a>>;
    /// One WebSocket message may hold several texts.
    fn texts<'a>(&self, message: &'a str) -> std::str::Split<'a, char> {
        // No protocol here sends a line break inside a text unless it parts two of them.
        message.split('\n')
    }

    /// A message over the socket; `None`: it is posted.
    fn send(&self, message: OutgoingMessage<'_>) -> Option<String>;
    fn typing(&self, _room: &str) -> Option<String> {
        None
    }
    /// Over the socket.
    fn read_mark(&self, _room: &str, _seq: Seq) -> Option<String> {
        None
    }

    /// Over HTTP, where a socket takes none: everything so far.
    fn post_read_mark(&self, _room: &str) -> Option<HttpRequest> {
        None
    }

    /// A message over HTTP, under an idempotency key.
    fn post(&self, message: OutgoingMessage<'_>) -> Option<HttpRequest>;
    fn posted(&self, body: &str) -> Option<HttpAck>;
    /// The newest page of a room.
    fn page(&self, _room: &str) -> Option<HttpRequest> {
        None
    }
    fn login(&self, _username: &str) -> Option<HttpRequest> {
        None
    }
}

/// Of every account the bench makes.
pub const PASSWORD: &str = "correct horse";
