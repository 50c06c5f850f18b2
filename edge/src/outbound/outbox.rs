//! A socket's way out: anybody queues, nobody waits. A reader that lets its queue fill is closed (4008) and
//! resumes; its neighbours notice nothing.
//!
//! Whoever queues a frame puts the outbox on a flusher's list, once; the flusher writes all that is queued by then
//! in one system call. When the connection takes no more, the socket's own task waits until it does.

use std::{
    io::{self, IoSlice},
    sync::{Arc, OnceLock},
};

use natter_schemas::{
    code::Code,
    frame::ServerFrame,
    id::{ConversationId, Seq},
    limits,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::{net::tcp::OwnedWriteHalf, sync::Notify};

use super::{flush::Flusher, frame::Frame, queue::Queue};

#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    /// Until it has one, frames wait.
    line: OnceLock<Line>,
    /// The socket's task has something to do: see [`Outbox::tend`].
    task: Notify,
    /// There is room again.
    drained: Notify,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// On a flusher's list.
    due: bool,
    /// The connection takes no more; the socket's task waits for it.
    stuck: bool,
    /// The connection is broken.
    gone: bool,
}

struct Line {
    sink: OwnedWriteHalf,
    flusher: Flusher,
}

/// Frames of one system call: as many as Linux takes at once are 1,024, and more than these is rare.
const PIECES: usize = 64;

/// How a socket ends: with a code, or because its client is gone.
pub type Ended = Option<Code>;

impl Outbox {
    /// From here what is queued is written.
    pub fn connect(self: &Arc<Self>, sink: OwnedWriteHalf, flusher: Flusher) {
        let first = self.line.set(Line { sink, flusher }).is_ok();
        debug_assert!(first, "an outbox has one connection");
        self.change(|_| ());
    }

    /// Queues a frame that is not an event of a conversation.
    pub fn offer(self: &Arc<Self>, frame: &ServerFrame) {
        self.push(Frame::text(frame));
    }

    /// Queues a finished frame.
    pub fn push(self: &Arc<Self>, frame: Frame) {
        self.make_room(frame.len());
        self.change(|queue| queue.push(frame));
    }

    /// Queues a live event, see [`Queue::push_event`].
    pub fn push_event(self: &Arc<Self>, conversation: ConversationId, seq: Seq, frame: &Frame) {
        self.make_room(frame.len());
        self.change(|queue| queue.push_event(conversation, seq, frame.clone()));
    }

    /// See [`Queue::hold`].
    pub fn hold(self: &Arc<Self>, conversation: ConversationId) -> bool {
        self.change(|queue| queue.hold(conversation))
    }

    /// See [`Queue::release`].
    pub fn release(self: &Arc<Self>, conversation: ConversationId, sent: Seq) {
        self.change(|queue| queue.release(conversation, sent));
    }

    /// See [`Queue::give_up`].
    pub fn give_up(self: &Arc<Self>, conversation: ConversationId) {
        self.change(|queue| queue.give_up(conversation));
    }

    /// Closes the socket once what is queued is written; a slow reader's queue is dropped.
    pub fn close(self: &Arc<Self>, code: Code) {
        self.change(|queue| queue.close(code));
    }

    /// Resolves when less than half of the bound is queued, or the socket closes.
    pub async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            {
                let State { queue, gone, .. } = &*self.state.lock();
                if queue.bytes() < limits::OUT_QUEUE / 2 || queue.closing().is_some() || *gone {
                    return;
                }
            }
            drained.await;
        }
    }

    /// A flusher's turn: writes as much as the connection takes now; says how often it wrote.
    pub fn flush(&self) -> u64 {
        let mut state = self.state.lock();
        state.due = false;
        self.write_out(state)
    }

    fn write_out(&self, mut state: MutexGuard<'_, State>) -> u64 {
        let Some(Line { sink, .. }) = self.line.get() else { return 0 };
        let writes = state.write_to(sink);
        let ends = state.gone || (state.queue.closing().is_some() && state.queue.is_empty());
        let call = ends || state.stuck;
        let room = state.queue.bytes() < limits::OUT_QUEUE / 2;
        drop(state);
        if call {
            self.task.notify_one();
        }
        if room || ends {
            self.drained.notify_waiters();
        }
        writes
    }

    /// The socket's task: waits for a connection that takes no more. Resolves when the socket is to be closed; an
    /// orderly close waits until everything is written.
    pub async fn tend(&self) -> Ended {
        loop {
            let stuck = {
                let State { queue, gone, stuck, .. } = &*self.state.lock();
                match queue.closing() {
                    _ if *gone => return None,
                    Some(code) if code != Code::Restarting || queue.is_empty() => return Some(code),
                    _ => *stuck,
                }
            };
            tokio::select! {
                () = self.task.notified() => {}
                () = self.takes_more(), if stuck => {}
            }
        }
    }

    /// Ends with a close frame behind what is queued. Resolves when it is written, or cannot be.
    pub async fn finish(self: &Arc<Self>, code: Code) {
        self.change(|queue| {
            queue.close(code);
            queue.push_last(Frame::close(code));
        });
        loop {
            self.flush();
            {
                let State { queue, gone, .. } = &*self.state.lock();
                if queue.is_empty() || *gone {
                    return;
                }
            }
            self.takes_more().await;
        }
    }

    /// Waits until the connection takes more, and writes.
    async fn takes_more(&self) {
        if let Some(Line { sink, .. }) = self.line.get() {
            // An error shows again when it is written to.
            let _ = sink.writable().await;
            self.state.lock().stuck = false;
            self.flush();
        }
    }

    /// Only a connection that takes no more makes a slow reader. When it is the flusher or the socket's task that is
    /// behind, whoever fills the queue writes it out, and is slowed down by that.
    fn make_room(&self, length: usize) {
        let mut state = self.state.lock();
        if !state.queue.fits(length) {
            state.stuck = false;
            self.write_out(state);
        }
    }

    /// Changes the queue, and tells whom that concerns.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut state = self.state.lock();
        let open = state.queue.closing().is_none();
        let result = change(&mut state.queue);
        let closes = open && state.queue.closing().is_some();
        let line = self.line.get().filter(|_| !state.queue.is_empty() && !state.due && !state.stuck);
        state.due |= line.is_some();
        drop(state);
        if let Some(Line { flusher, .. }) = line {
            flusher.due(self);
        }
        if closes {
            self.task.notify_one();
            self.drained.notify_waiters();
        }
        result
    }
}

impl State {
    /// Writes until nothing is left or the connection takes no more; says how often.
    fn write_to(&mut self, sink: &OwnedWriteHalf) -> u64 {
        let mut writes = 0;
        while !self.queue.is_empty() && !self.gone && !self.stuck {
            writes += 1;
            match write(sink, &self.queue) {
                Ok(bytes) => self.queue.written(bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stuck = true,
                Err(_) => self.gone = true,
            }
        }
        writes
    }
}

fn write(sink: &OwnedWriteHalf, queue: &Queue) -> io::Result<usize> {
    let mut pieces = [IoSlice::new(&[]); PIECES];
    let (count, _) = queue.next(&mut pieces);
    match &pieces[..count] {
        // Without a list of pieces the kernel has less to do.
        [one] => sink.try_write(one),
        several => sink.try_write_vectored(several),
    }
}

#[cfg(test)]
impl Outbox {
    /// Takes what is queued, without a connection: what each frame says.
    pub fn take(&self) -> Vec<ServerFrame> {
        let mut state = self.state.lock();
        let queue = &mut state.queue;
        let frames: Vec<_> =
            queue.frames().map(|f| serde_json::from_slice(&f.payload()).expect("JSON")).collect();
        queue.written(queue.bytes());
        frames
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::outbound::flush::Flushers;

    /// An outbox with a flusher that has not run yet, and its client.
    async fn connected() -> (Arc<Outbox>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (_, sink) = accepted.expect("a client").0.into_split();
        // What a socket that was just accepted takes is not known to tokio before it was asked.
        sink.writable().await.expect("a connection");
        let outbox = Arc::new(Outbox::default());
        outbox.connect(sink, Flushers::start().pick());
        (outbox, client.expect("a connection"))
    }

    fn closing(outbox: &Outbox) -> Option<Code> {
        outbox.state.lock().queue.closing()
    }

    #[tokio::test]
    async fn nobody_is_a_slow_reader_because_the_flusher_is_behind() {
        let (outbox, mut client) = connected().await;
        let frame = Frame::of(&"x".repeat(1_000));
        let count = limits::OUT_QUEUE / frame.len() + 10;
        // The flusher is a task of this thread and has had no turn.
        (0..count).for_each(|_| outbox.push(frame.clone()));
        assert_eq!(closing(&outbox), None);
        let mut bytes = vec![0; count * frame.len()];
        client.read_exact(&mut bytes).await.expect("all of them");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_closed_when_its_queue_is_full() {
        let (outbox, _client) = connected().await;
        let frame = Frame::of(&"x".repeat(limits::OUT_QUEUE / 8));
        // More than any kernel keeps for a connection by default.
        for _ in 0..8 * 64 {
            outbox.push(frame.clone());
        }
        assert_eq!(closing(&outbox), Some(Code::SlowReader));
    }
}
