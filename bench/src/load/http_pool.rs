//! HTTP connections that requests share: each carries one at a time and stays open. A request that finds all of
//! them busy waits, and its latency counts from when it was due.

use std::{collections::VecDeque, io, net::SocketAddr};

use mio::{Token, event::Event as Readiness};

use super::{
    conn::{Conn, Got},
    counters::RequestKind,
    engine::{Engine, FIRST_HTTP_TOKEN},
    http,
};
use crate::oracle::{Number, SendOutcome};

/// Far above what a server needs at a rate it keeps up with; it bounds what a stalled server can accumulate.
const MAX_CONNECTIONS: usize = 256;

pub struct PendingRequest {
    pub request_kind: RequestKind,
    /// Of a message.
    pub number: Option<Number>,
    pub due: u64,
    pub request: Vec<u8>,
}

#[derive(Default)]
struct PooledConnection {
    conn: Option<Conn>,
    request: Option<PendingRequest>,
    /// Written once the connection is there.
    connected: bool,
}

pub struct HttpPool {
    pub host: SocketAddr,
    all: Vec<PooledConnection>,
    free: Vec<usize>,
    queue: VecDeque<PendingRequest>,
}

impl HttpPool {
    pub fn new(host: SocketAddr) -> Self {
        Self { host, all: Vec::new(), free: Vec::new(), queue: VecDeque::new() }
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.free.len() == self.all.len()
    }
}

impl Engine {
    pub(super) fn submit(&mut self, request: PendingRequest) {
        let Some(connection) = self.http_pool.free.pop().or_else(|| self.new_connection()) else {
            return self.http_pool.queue.push_back(request);
        };
        self.start(connection, request);
    }

    fn new_connection(&mut self) -> Option<usize> {
        (self.http_pool.all.len() < MAX_CONNECTIONS).then(|| {
            self.http_pool.all.push(PooledConnection::default());
            self.http_pool.all.len() - 1
        })
    }

    fn start(&mut self, at: usize, request: PendingRequest) {
        let connection = &mut self.http_pool.all[at];
        let request = connection.request.insert(request).request.clone();
        let outcome = match &mut connection.conn {
            Some(conn) if connection.connected => conn.write(&request),
            Some(_) => Ok(()),
            None => {
                Conn::open(self.poll.registry(), Token(FIRST_HTTP_TOKEN + at), self.http_pool.host, false)
                    .map(|conn| connection.conn = Some(conn))
            }
        };
        if let Err(error) = outcome {
            self.lost(at, &error);
        }
    }

    pub(super) fn connection(&mut self, at: usize, ready: &Readiness) {
        if let Err(error) = self.try_connection(at, ready) {
            self.lost(at, &error);
        }
    }

    fn try_connection(&mut self, at: usize, ready: &Readiness) -> io::Result<()> {
        let connection = &mut self.http_pool.all[at];
        let Some(conn) = &mut connection.conn else { return Ok(()) };
        if !connection.connected && conn.connected()? {
            connection.connected = true;
            if let Some(request) = &connection.request {
                conn.write(&request.request)?;
            }
        }
        if ready.is_writable() {
            conn.flush()?;
        }
        if !ready.is_readable() && !ready.is_read_closed() {
            return Ok(());
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let outcome = self.read_connection(at, &mut scratch);
        self.scratch = scratch;
        outcome
    }

    fn read_connection(&mut self, at: usize, scratch: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let Some(conn) = &mut self.http_pool.all[at].conn else { return Ok(()) };
            let length = match conn.read(scratch)? {
                Got::Bytes(length) => length,
                Got::Nothing => return Ok(()),
                Got::Closed => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            match http::answer(&scratch[..length]) {
                Ok(None) => conn.keep(&scratch[..length]),
                Ok(Some(answer)) => {
                    self.look();
                    let body = String::from_utf8_lossy(&scratch[answer.body]).into_owned();
                    self.done(at, answer.status, &body);
                }
                Err(http::NotHttp) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    fn done(&mut self, at: usize, status: u16, body: &str) {
        if let Some(request) = self.http_pool.all[at].request.take() {
            self.outcome(&request, status, body);
            match self.http_pool.queue.pop_front() {
                Some(request) => self.start(at, request),
                None => self.http_pool.free.push(at),
            }
        }
    }

    fn outcome(&mut self, request: &PendingRequest, status: u16, body: &str) {
        let good = (200..300).contains(&status);
        match request.number {
            Some(number) => match self.dialect.posted(body).filter(|_| good) {
                Some(ack) => {
                    self.answered(number, SendOutcome::Acked { seq: ack.seq, id: ack.id });
                }
                None => {
                    self.counters.refuse(&status.to_string());
                    self.answered(number, SendOutcome::Rejected);
                }
            },
            None if good => {
                let late = self.now.saturating_sub(request.due);
                self.counters.requests.entry(request.request_kind).or_default().record(late);
            }
            None => self.counters.refuse(&format!("{:?} {status}", request.request_kind)),
        }
    }

    /// The connection is gone; so is the request on it, if there was one.
    fn lost(&mut self, at: usize, error: &io::Error) {
        let connection = &mut self.http_pool.all[at];
        connection.connected = false;
        if let Some(conn) = connection.conn.take() {
            conn.close(self.poll.registry());
        }
        if let Some(request) = connection.request.take() {
            self.counters.refuse(&error.kind().to_string());
            if let Some(number) = request.number {
                self.answered(number, SendOutcome::Rejected);
            }
            self.http_pool.free.push(at);
        }
    }
}
