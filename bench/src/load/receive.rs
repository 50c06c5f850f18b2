//! Bytes come in and are passed to the oracle.

use mio::event::Event as Readiness;

use super::{
    conn::Got,
    decode_cache::Event,
    engine::{Engine, Stage},
    frame,
};
use crate::{
    dialect::ServerMessage,
    oracle::{Number, ReceivedEvent, SendOutcome, Violation},
    schedule::mix,
};

const FRAME_SHOWN: usize = 300;
/// A close without a code of its own (RFC 6455, 7.1.5).
const NO_CODE: u16 = 1005;

impl Engine {
    pub(super) fn socket(&mut self, index: usize, ready: &Readiness) {
        if self.sockets[index].stage == Stage::Connecting {
            self.connecting(index);
        }
        let socket = &mut self.sockets[index];
        if ready.is_writable()
            && let Some(conn) = &mut socket.conn
            && let Err(error) = conn.flush()
        {
            return self.closed(index, &error.to_string());
        }
        if self.sockets[index].stalled {
            return;
        }
        if ready.is_readable() || ready.is_read_closed() {
            self.drain(index, ready.is_read_closed());
        }
    }

    /// Reads what there is. Readiness is reported once for what came since: without `to_the_end` a read that did not
    /// fill the scratch took all of it.
    pub(super) fn drain(&mut self, index: usize, to_the_end: bool) {
        let mut scratch = std::mem::take(&mut self.scratch);
        while let Some(conn) = &mut self.sockets[index].conn {
            match conn.read(&mut scratch) {
                Ok(Got::Bytes(length)) => {
                    self.look();
                    let used = self.bytes(index, &mut scratch[..length]);
                    if let Some(conn) = &mut self.sockets[index].conn {
                        conn.keep(&scratch[used..length]);
                    }
                    if length < scratch.len() && !to_the_end {
                        break;
                    }
                }
                Ok(Got::Nothing) => break,
                Ok(Got::Closed) => self.closed(index, "end of stream"),
                Err(error) => self.closed(index, &error.to_string()),
            }
        }
        self.scratch = scratch;
    }

    /// How many of the bytes were whole frames.
    fn bytes(&mut self, index: usize, bytes: &mut [u8]) -> usize {
        let mut used = 0;
        if self.sockets[index].stage == Stage::Upgrading {
            used = self.upgraded(index, bytes);
            if used == 0 {
                return 0;
            }
        }
        loop {
            match frame::head(&bytes[used..]) {
                Ok(None) => return used,
                Ok(Some(head)) => {
                    let payload = &bytes[used + head.start..used + head.end];
                    self.frame(index, head.opcode, payload);
                    used += head.end;
                }
                Err(frame::NotAFrame) => {
                    self.closed(index, "received bytes that are not a WebSocket frame");
                    return bytes.len();
                }
            }
        }
    }

    fn frame(&mut self, index: usize, opcode: u8, payload: &[u8]) {
        match opcode {
            frame::TEXT => self.message(index, payload),
            frame::PING => self.write_frame(index, frame::PONG, payload),
            frame::PONG => {}
            frame::CLOSE => {
                let code = payload.first_chunk::<2>().map_or(NO_CODE, |code| u16::from_be_bytes(*code));
                *self.closes.entry(code).or_default() += 1;
                self.closed(index, &format!("closed with {code}"));
            }
            other => self.closed(index, &format!("a frame with opcode {other}")),
        }
    }

    fn message(&mut self, index: usize, payload: &[u8]) {
        if let Some(event) = self.decode_cache.get(payload) {
            return self.event(index, event);
        }
        let Ok(message) = std::str::from_utf8(payload) else {
            return self.not_the_protocol(index, "not UTF-8");
        };
        for text in self.dialect.texts(message) {
            match self.dialect.read(text) {
                Some(ServerMessage::Event { room, seq, prev, number }) => {
                    let Some(&room) = self.room_ids.get(room) else { continue };
                    let event = Event { room, shown: ReceivedEvent { seq, prev, number } };
                    if text.len() == payload.len() {
                        self.decode_cache.insert(payload, event);
                    }
                    self.event(index, event);
                }
                Some(message) => self.handle(index, &message),
                None => self.not_the_protocol(index, text),
            }
        }
    }

    fn handle(&mut self, index: usize, message: &ServerMessage<'_>) {
        if self.sockets[index].stage != Stage::Open && self.handle_opening(index, message) {
            return;
        }
        match *message {
            ServerMessage::Acked { number, seq, id, prefix } => {
                self.sockets[index].renew_prefix(prefix);
                self.answered(number, SendOutcome::Acked { seq, id });
            }
            ServerMessage::Rejected { number, code } => {
                self.counters.refuse(code);
                match number {
                    Some(number) => self.answered(number, SendOutcome::Rejected),
                    None if self.sockets[index].stage != Stage::Open => self.closed(index, code),
                    None => {}
                }
            }
            ServerMessage::Ping(answer) => self.write_frame(index, frame::TEXT, answer.as_bytes()),
            _ => {}
        }
    }

    pub(super) fn event(&mut self, index: usize, Event { room, shown }: Event) {
        let socket = &mut self.sockets[index];
        if socket.receivers.is_empty() {
            return;
        }
        let Some(receiver) = socket.receivers.iter_mut().find(|receiver| receiver.room == room) else {
            let number = shown.number.unwrap_or(Number::MAX);
            let to = u32::try_from(index).unwrap_or(u32::MAX);
            return self.violation(Violation::NeverSent { number, to });
        };
        let first = self.oracle.shown(receiver, shown);
        let Some(number) = shown.number.filter(|_| first) else { return };
        let unmeasured = socket.unmeasured;
        let sent = &mut self.oracle.sends[number as usize];
        let late = self.now.saturating_sub(sent.due);
        self.counters.delivered += 1;
        if sent.sender as usize != index && !unmeasured {
            self.counters.delivery.record(late);
        }
        if sent.left > 0 {
            sent.left -= 1;
            self.waiting_deliveries -= 1;
            if sent.left == 0 {
                self.counters.last.record(late);
            }
        }
        if self.read_share > 0.0 && chance(u64::from(number) << 32 | index as u64) < self.read_share {
            self.mark_read(index, room, shown.seq);
        }
    }

    /// A message has its answer, over whichever transport.
    pub(super) fn answered(&mut self, number: Number, outcome: SendOutcome) {
        let Some(sent) = self.oracle.answered(number, outcome) else { return };
        self.waiting_acks = self.waiting_acks.saturating_sub(1);
        if outcome == SendOutcome::Rejected {
            self.waiting_deliveries -= u64::from(std::mem::take(&mut sent.left));
        } else {
            self.counters.acked += 1;
            self.counters.ack.record(self.now.saturating_sub(sent.due));
        }
    }

    fn not_the_protocol(&mut self, index: usize, text: &str) {
        let frame = text.chars().take(FRAME_SHOWN).collect();
        self.violation(Violation::NotTheProtocol { socket: u32::try_from(index).unwrap_or(u32::MAX), frame });
    }
}

/// From 0 to 1, always the same for the same number.
fn chance(of: u64) -> f64 {
    f64::from(u32::try_from(mix(of) >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
