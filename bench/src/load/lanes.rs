//! HTTP connections that errands take turns on: each carries one at a time and stays open. An errand that finds
//! all of them busy waits, and its latency counts from when it was due.

use std::{collections::VecDeque, io, net::SocketAddr};

use mio::{Token, event::Event as Readiness};

use super::{
    Engine,
    conn::{Conn, Got},
    engine::FIRST_LANE,
    http,
    tally::Errand,
};
use crate::check::{Fate, Number};

/// Far above what a server needs at a rate it keeps up with; a bound on what a stall piles up at its door.
const LANES: usize = 256;

pub struct Job {
    pub errand: Errand,
    /// Of a message.
    pub number: Option<Number>,
    pub due: u64,
    pub request: Vec<u8>,
}

#[derive(Default)]
struct Lane {
    conn: Option<Conn>,
    job: Option<Job>,
    /// Written once the connection is there.
    connected: bool,
}

pub struct Lanes {
    pub host: SocketAddr,
    all: Vec<Lane>,
    free: Vec<usize>,
    queue: VecDeque<Job>,
}

impl Lanes {
    pub fn new(host: SocketAddr) -> Self {
        Self { host, all: Vec::new(), free: Vec::new(), queue: VecDeque::new() }
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.free.len() == self.all.len()
    }
}

impl Engine {
    pub(super) fn errand(&mut self, job: Job) {
        let Some(lane) = self.lanes.free.pop().or_else(|| self.new_lane()) else {
            return self.lanes.queue.push_back(job);
        };
        self.start(lane, job);
    }

    fn new_lane(&mut self) -> Option<usize> {
        (self.lanes.all.len() < LANES).then(|| {
            self.lanes.all.push(Lane::default());
            self.lanes.all.len() - 1
        })
    }

    fn start(&mut self, at: usize, job: Job) {
        let lane = &mut self.lanes.all[at];
        let request = lane.job.insert(job).request.clone();
        let outcome = match &mut lane.conn {
            Some(conn) if lane.connected => conn.write(&request),
            Some(_) => Ok(()),
            None => Conn::open(self.poll.registry(), Token(FIRST_LANE + at), self.lanes.host, false)
                .map(|conn| lane.conn = Some(conn)),
        };
        if let Err(error) = outcome {
            self.lost(at, &error);
        }
    }

    pub(super) fn lane(&mut self, at: usize, ready: &Readiness) {
        if let Err(error) = self.try_lane(at, ready) {
            self.lost(at, &error);
        }
    }

    fn try_lane(&mut self, at: usize, ready: &Readiness) -> io::Result<()> {
        let lane = &mut self.lanes.all[at];
        let Some(conn) = &mut lane.conn else { return Ok(()) };
        if !lane.connected && conn.connected()? {
            lane.connected = true;
            if let Some(job) = &lane.job {
                conn.write(&job.request)?;
            }
        }
        if ready.is_writable() {
            conn.flush()?;
        }
        if !ready.is_readable() && !ready.is_read_closed() {
            return Ok(());
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let outcome = self.read_lane(at, &mut scratch);
        self.scratch = scratch;
        outcome
    }

    fn read_lane(&mut self, at: usize, scratch: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let Some(conn) = &mut self.lanes.all[at].conn else { return Ok(()) };
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
        if let Some(job) = self.lanes.all[at].job.take() {
            self.outcome(&job, status, body);
            match self.lanes.queue.pop_front() {
                Some(job) => self.start(at, job),
                None => self.lanes.free.push(at),
            }
        }
    }

    fn outcome(&mut self, job: &Job, status: u16, body: &str) {
        let good = (200..300).contains(&status);
        match job.number {
            Some(number) => match self.dialect.posted(body).filter(|_| good) {
                Some(receipt) => self.answered(number, Fate::Acked { seq: receipt.seq, id: receipt.id }),
                None => {
                    self.tally.refuse(&status.to_string());
                    self.answered(number, Fate::Refused);
                }
            },
            None if good => {
                let late = self.now.saturating_sub(job.due);
                self.tally.errands.entry(job.errand).or_default().record(late);
            }
            None => self.tally.refuse(&format!("{:?} {status}", job.errand)),
        }
    }

    /// The connection is gone; so is what was asked on it, unless nothing was.
    fn lost(&mut self, at: usize, error: &io::Error) {
        let lane = &mut self.lanes.all[at];
        lane.connected = false;
        if let Some(conn) = lane.conn.take() {
            conn.close(self.poll.registry());
        }
        if let Some(job) = lane.job.take() {
            self.tally.refuse(&error.kind().to_string());
            if let Some(number) = job.number {
                self.answered(number, Fate::Refused);
            }
            self.lanes.free.push(at);
        }
    }
}
