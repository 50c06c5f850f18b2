//! The thread that writes. It has the records that wait, and what became of them.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use metrics::{counter, gauge};
use natter_schemas::{
    audit::{Act, Entry},
    limits,
};
use tokio::sync::oneshot;
use tracing::{error, info};

use super::{
    Appended, Batch, Line, Origin,
    file::AuditFile,
    recorder::{Now, Shared},
    stream::AuditStream,
};

/// Records that are written and synced together.
const BATCH: usize = 64;
/// Between attempts, while it cannot be written.
const RETRY: Duration = Duration::from_millis(500);

pub enum Message {
    /// Answered when it is written.
    Entry(Entry, oneshot::Sender<()>),
    /// Answered when everything is written, or given up.
    Stop(oneshot::Sender<()>),
}

pub enum Output {
    File(AuditFile),
    Out(AuditStream<io::Stdout>),
    /// Of commands, whose answer is on standard output.
    Err(AuditStream<io::Stderr>),
}

impl Output {
    fn append(&mut self, batch: &Batch<'_>) -> Appended {
        match self {
            Self::File(file) => file.append(batch),
            Self::Out(stream) => stream.append(batch),
            Self::Err(stream) => stream.append(batch),
        }
    }
}

pub struct Writer {
    pub output: Output,
    pub origin: Origin,
    pub now: Now,
    pub shared: Arc<Shared>,
    /// Where written lines are copied to.
    pub copies: Option<tokio::sync::mpsc::Sender<Line>>,
    pub waiting: VecDeque<(Entry, Option<oneshot::Sender<()>>)>,
    /// When the next attempt is due, while it cannot be written.
    pub retry_at: Option<Instant>,
}

impl Writer {
    /// Until it is asked to stop, or no one is left who could ask.
    pub fn run(mut self, from: &Receiver<Message>) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.own(Act::Started { version });
        let stopped = loop {
            match self.receive(from) {
                Ok(Message::Entry(entry, written)) => {
                    self.take(entry, written);
                    if self.waiting.len() < BATCH {
                        continue;
                    }
                }
                Ok(Message::Stop(done)) => break Some(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            if self.retry_at.is_none_or(|at| Instant::now() >= at) {
                self.write();
            }
        };
        while let Ok(Message::Entry(entry, written)) = from.try_recv() {
            self.take(entry, written);
        }
        self.own(Act::Stopped);
        self.retry_at = None;
        while self.retry_at.is_none() && !self.waiting.is_empty() {
            self.write();
        }
        if !self.waiting.is_empty() {
            error!(
                records = self.waiting.len(),
                "audit records given up: they could not be written before the end"
            );
        }
        if let Some(done) = stopped {
            let _ = done.send(());
        }
    }

    /// What has come already is taken first, so that it is written together.
    fn receive(&self, from: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        match self.retry_at {
            Some(at) => from.recv_timeout(at.saturating_duration_since(Instant::now())),
            None if self.waiting.is_empty() => from.recv().map_err(|_| RecvTimeoutError::Disconnected),
            None => from.recv_timeout(Duration::ZERO),
        }
    }

    fn own(&mut self, act: Act) {
        self.waiting.push_back((Entry { at: (self.now)(), act, client: None }, None));
    }

    fn take(&mut self, entry: Entry, written: oneshot::Sender<()>) {
        if self.waiting.len() < limits::AUDIT_WAITING {
            self.waiting.push_back((entry, Some(written)));
        } else {
            self.shared.lose();
        }
    }

    fn write(&mut self) {
        let entries: Vec<&Entry> = self.waiting.iter().take(BATCH).map(|(entry, _)| entry).collect();
        let lost = self.shared.lost();
        let batch = Batch { origin: &self.origin, now: (self.now)(), lost, entries: &entries };
        let Appended { lines, lost_is_named, failure } = self.output.append(&batch);
        if lost_is_named {
            self.shared.named(lost);
        }
        counter!("natter_audit_records_total").increment(lines.len() as u64);
        for line in lines {
            if let Some((_, Some(written))) = self.waiting.pop_front() {
                let _ = written.send(());
            }
            self.copy(line);
        }
        self.settle(failure);
    }

    fn copy(&self, line: Line) {
        if let Some(copies) = &self.copies
            && copies.try_send(line).is_err()
        {
            counter!("natter_audit_copies_lost_total").increment(1);
        }
    }

    fn settle(&mut self, failure: Option<io::Error>) {
        match (&failure, self.retry_at) {
            (Some(error), None) => error!(
                %error,
                "the audit log cannot be written; records wait, and of those that find no room only the number is kept"
            ),
            (None, Some(_)) => info!("the audit log is written again"),
            _ => {}
        }
        gauge!("natter_audit_failing").set(if failure.is_some() { 1.0 } else { 0.0 });
        self.shared.set_failing(failure.is_some());
        self.retry_at = failure.map(|_| Instant::now() + RETRY);
    }
}
