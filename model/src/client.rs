//! A client: its outbox, and how far it has taken events.

use std::collections::VecDeque;

use crate::{Delivery, Message, Planted, Seq};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutboxEntry {
    pub message: Message,
    /// It may have been sent before: the next attempt says so (`retry`).
    pub tried: bool,
    /// An answer is awaited on this connection.
    pub sending: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientFrame {
    Send { message: Message, retry: bool },
    Resume { after: Seq },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerFrame {
    Event {
        seq: Seq,
        prev: Seq,
        message: Message,
    },
    Ack {
        message: Message,
    },
    Error {
        message: Message,
    },
    ResumeDone,
    /// History did not answer: the resume is asked for again.
    ResumeFailed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    pub outbox: VecDeque<OutboxEntry>,
    /// The newest event that was taken.
    pub position: Seq,
    pub taken: Vec<Message>,
    pub acked: Vec<Message>,
    pub connected: bool,
    /// A resume was asked for and has not ended.
    pub resuming: bool,
    /// The last resume failed.
    pub again: bool,
    /// The newest event that is known to exist: above the position, something is missing.
    pub beyond: Seq,
    /// Frames to the edge and from it; gone with the connection.
    pub up: VecDeque<ClientFrame>,
    pub down: VecDeque<ServerFrame>,
}

impl Client {
    pub fn new(own: u8) -> Self {
        let entry = |message| OutboxEntry { message, tried: false, sending: false };
        Self {
            outbox: (0..own).map(entry).collect(),
            position: 0,
            taken: Vec::new(),
            acked: Vec::new(),
            connected: false,
            resuming: false,
            again: false,
            beyond: 0,
            up: VecDeque::new(),
            down: VecDeque::new(),
        }
    }

    /// Of the conversation one message is under way at a time.
    pub fn may_send(&self) -> bool {
        self.connected && self.outbox.front().is_some_and(|entry| !entry.sending)
    }

    /// A resume that is on its way sends everything.
    pub fn may_resume(&self) -> bool {
        self.connected && !self.resuming && (self.again || self.beyond > self.position)
    }

    pub fn send(&mut self, model: &Delivery) {
        let Some(entry) = self.outbox.front_mut() else { return };
        self.up.push_back(ClientFrame::Send { message: entry.message, retry: entry.tried });
        (entry.tried, entry.sending) = (true, true);
        if model.is(Planted::OutboxEmptiedBySending) {
            self.outbox.pop_front();
        }
    }

    pub fn resume(&mut self) {
        (self.resuming, self.again) = (true, false);
        self.up.push_back(ClientFrame::Resume { after: self.position });
    }

    pub fn receive(&mut self, model: &Delivery, frame: &ServerFrame) {
        match *frame {
            ServerFrame::Event { seq, .. } if seq <= self.position => {}
            ServerFrame::Event { seq, prev, message } => {
                self.beyond = self.beyond.max(seq);
                if prev != self.position && !model.is(Planted::ClientIgnoresPrevSeq) {
                    return;
                }
                self.position = seq;
                self.taken.push(message);
                self.outbox.retain(|entry| entry.message != message);
            }
            ServerFrame::Ack { message } => {
                self.acked.push(message);
                self.outbox.retain(|entry| entry.message != message);
            }
            ServerFrame::Error { message } => {
                for entry in self.outbox.iter_mut().filter(|entry| entry.message == message) {
                    entry.sending = false;
                }
            }
            ServerFrame::ResumeDone => self.resuming = false,
            ServerFrame::ResumeFailed => (self.resuming, self.again) = (false, true),
        }
    }

    /// The connection is gone, and every frame on it.
    pub fn disconnected(&mut self) {
        (self.connected, self.resuming, self.again) = (false, false, false);
        self.beyond = self.position;
        self.up.clear();
        self.down.clear();
        for entry in &mut self.outbox {
            entry.sending = false;
        }
    }

    /// The page was loaded again: what is in storage is there, of which nothing says how far it came.
    pub fn reloaded(&mut self, model: &Delivery) {
        self.disconnected();
        for entry in &mut self.outbox {
            entry.tried = !model.is(Planted::ReloadForgetsAttempts);
        }
    }
}
