//! Sends what is due, whatever the server does.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{
    counters::{Counters, RequestKind, Stats},
    engine::{Engine, IDLE},
    frame,
    http_pool::PendingRequest,
    plan::{Plan, Sender, Transport},
};
use crate::{
    dialect::OutgoingMessage,
    oracle::{SendOutcome, content},
    schedule::Schedule,
};

/// Before the first message is due.
const RUN_UP: Duration = Duration::from_millis(100);
/// What is still under way gets this long without any progress: half as long again as a publish may take.
const PATIENCE: Duration = Duration::from_secs(45);
/// Sends in a row before received data is read.
const IN_A_ROW: usize = 32;

/// One thing that is due again and again.
struct Stream {
    what: What,
    schedule: Schedule,
    next: u64,
}

#[derive(Clone, Copy)]
enum What {
    Message,
    Page,
    LogIn,
    Visit,
}

impl Stream {
    /// Microseconds from the start.
    fn due(&self) -> Option<u64> {
        self.schedule.due(self.next).map(|due| u64::try_from(due.as_micros()).unwrap_or(u64::MAX))
    }
}

impl Engine {
    pub fn step(&mut self, plan: &Plan) -> Stats {
        self.counters = Counters::default();
        self.read_share = plan.read_share;
        let start = self.look() + u64::try_from(RUN_UP.as_micros()).unwrap_or(0);
        let began = Instant::now() + RUN_UP;
        let offset = self.oracle.sends.len() as u64;
        let schedule = |rate, seed| Schedule::new(rate, plan.lasting, offset.wrapping_add(seed));
        let mut streams = [
            Stream { what: What::Message, schedule: schedule(plan.rate, 1), next: 0 },
            Stream { what: What::Page, schedule: schedule(plan.pages, 2), next: 0 },
            Stream { what: What::LogIn, schedule: schedule(plan.logins, 3), next: 0 },
            Stream { what: What::Visit, schedule: schedule(plan.visits, 4), next: 0 },
        ];
        let planned = streams[0].schedule.count();
        loop {
            let next = self.send_due(plan, &mut streams, (start, offset));
            self.progress.set(self.counters.sent, planned);
            match next {
                Some(wait) => self.turn(wait.min(IDLE)),
                None => break,
            }
        }
        if plan.settle {
            self.settle();
        }
        self.read_share = 0.0;
        let mut stats = self.counters.stats(plan.rate, plan.lasting, began.elapsed());
        stats.planned = planned;
        stats
    }

    /// Until everything is answered and delivered, or nothing moves any more.
    pub fn settle(&mut self) {
        let moved =
            |engine: &Self| (engine.waiting_acks, engine.waiting_deliveries, engine.http_pool.is_idle());
        let (mut known, mut since) = (moved(self), Instant::now());
        while !self.is_settled() && since.elapsed() < PATIENCE {
            self.turn(IDLE);
            if moved(self) != known {
                (known, since) = (moved(self), Instant::now());
            }
        }
    }

    /// Sends what is due; how long until the next is, `None` when nothing will be.
    fn send_due(
        &mut self,
        plan: &Plan,
        streams: &mut [Stream],
        (start, offset): (u64, u64),
    ) -> Option<Duration> {
        for _ in 0..IN_A_ROW {
            let due = |stream: &Stream| stream.due().unwrap_or(u64::MAX);
            let stream = streams.iter_mut().min_by_key(|stream| due(stream))?;
            let due = start + stream.due()?;
            let now = self.look();
            if due > now {
                return Some(Duration::from_micros(due - now));
            }
            let nth = offset + stream.next;
            stream.next += 1;
            match stream.what {
                What::Message => self.message_due(plan, nth, due),
                What::Page => self.page(plan, nth, due),
                What::LogIn => self.log_in(nth, due),
                What::Visit => self.visit(nth),
            }
        }
        Some(Duration::ZERO)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are positive and small"
    )]
    fn message_due(&mut self, plan: &Plan, nth: u64, due: u64) {
        if plan.typing {
            let Sender { socket, room } = turn(plan, nth + plan.rate as u64);
            if let Some(text) = self.dialect.typing(&self.rooms[room as usize]) {
                self.write_frame(socket as usize, frame::TEXT, text.as_bytes());
            }
        }
        let Sender { socket, room } = turn(plan, nth);
        let left = self.listeners[room as usize];
        let number = self.oracle.sent(room, socket, due, left);
        self.waiting_acks += 1;
        self.waiting_deliveries += u64::from(left);
        self.counters.sent += 1;
        let content = content(number, plan.bytes);
        let prefix = &self.sockets[socket as usize].prefix;
        let message = OutgoingMessage { number, prefix, room: &self.rooms[room as usize], content: &content };
        let over_socket = (plan.transport == Transport::Socket).then(|| self.dialect.send(message)).flatten();
        match over_socket {
            Some(text) => {
                if !self
                    .try_write_frame(socket as usize, frame::TEXT, text.as_bytes())
                    .is_ok_and(|written| written)
                {
                    self.counters.refuse("no connection");
                    self.answered(number, SendOutcome::Rejected);
                }
            }
            None => self.post(socket as usize, number, room, &content),
        }
        let late = self.look().saturating_sub(due);
        self.counters.lateness.record(late);
    }

    fn post(&mut self, socket: usize, number: u32, room: u32, content: &str) {
        let due = self.oracle.sends[number as usize].due;
        let message = OutgoingMessage { number, prefix: "", room: &self.rooms[room as usize], content };
        match self.dialect.post(message) {
            Some(request) => {
                let token = &self.sockets[socket].who.token;
                let request = request.bytes(&self.http_pool.host.to_string(), Some(token));
                self.submit(PendingRequest {
                    request_kind: RequestKind::Message,
                    number: Some(number),
                    due,
                    request,
                });
            }
            None => {
                self.counters.refuse("no HTTP");
                self.answered(number, SendOutcome::Rejected);
            }
        }
    }

    fn page(&mut self, plan: &Plan, nth: u64, due: u64) {
        // Out of step with the messages: readers are not the writers.
        let Sender { socket, room } = turn(plan, nth.wrapping_mul(7) + 3);
        if let Some(request) = self.dialect.page(&self.rooms[room as usize]) {
            let request = request
                .bytes(&self.http_pool.host.to_string(), Some(&self.sockets[socket as usize].who.token));
            self.submit(PendingRequest { request_kind: RequestKind::Page, number: None, due, request });
        }
    }

    fn log_in(&mut self, nth: u64, due: u64) {
        let socket = usize::try_from(nth).unwrap_or(0) % self.sockets.len().max(1);
        if let Some(request) = self.dialect.login(&self.sockets[socket].who.username) {
            let request = request.bytes(&self.http_pool.host.to_string(), None);
            self.submit(PendingRequest { request_kind: RequestKind::LogIn, number: None, due, request });
        }
    }

    pub(super) fn mark_read(&mut self, index: usize, room: u32, seq: u64) {
        if let Some(text) = self.dialect.read_mark(&self.rooms[room as usize], seq) {
            self.counters.reads += 1;
            self.write_frame(index, frame::TEXT, text.as_bytes());
        } else if let Some(request) = self.dialect.post_read_mark(&self.rooms[room as usize]) {
            self.counters.reads += 1;
            let request =
                request.bytes(&self.http_pool.host.to_string(), Some(&self.sockets[index].who.token));
            self.submit(PendingRequest {
                request_kind: RequestKind::Read,
                number: None,
                due: self.now,
                request,
            });
        }
    }

    pub(super) fn write_frame(&mut self, index: usize, opcode: u8, payload: &[u8]) {
        if let Err(error) = self.try_write_frame(index, opcode, payload) {
            self.closed(index, &error.to_string());
        }
    }

    /// `false`: there is no connection.
    fn try_write_frame(&mut self, index: usize, opcode: u8, payload: &[u8]) -> io::Result<bool> {
        let Some(conn) = &mut self.sockets[index].conn else { return Ok(false) };
        self.out.clear();
        frame::masked(&mut self.out, opcode, payload);
        conn.write(&self.out)?;
        Ok(true)
    }
}

fn turn(plan: &Plan, nth: u64) -> Sender {
    let length = plan.senders.len().max(1) as u64;
    plan.senders[usize::try_from(nth % length).unwrap_or(0)]
}
