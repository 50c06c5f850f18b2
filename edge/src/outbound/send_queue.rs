//! What waits to be written to one socket. Any task may queue a frame, and none waits for it to be written. A reader
//! that lets its queue fill is closed (4008) and resumes; other sockets are not affected.
//!
//! Queueing a frame puts the queue on a flusher's list, once; the flusher writes all that is queued by then in one
//! system call. When the connection takes no more, the socket's own task waits until it does.

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
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{flush::Flusher, queue::Queue};
use crate::{
    transport::{Output, Written},
    wire::frame::Frame,
};

#[derive(Default)]
pub struct SendQueue {
    state: Mutex<State>,
    /// Until it has one, frames wait.
    connection: OnceLock<Connection>,
    /// Wakes the socket's task in [`SendQueue::ended`].
    task: Notify,
    /// There is room again.
    drained: Notify,
    /// Held by the catch-up that may wait for room with a part of what was missed in its hands.
    part: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// On a flusher's list.
    scheduled: bool,
    /// Encrypted, out of the queue, and not yet with the kernel.
    held: bool,
    /// The connection takes no more; the socket's task waits for it.
    blocked: bool,
    /// Since when it takes no byte although some wait.
    stalled: Option<Instant>,
    /// The connection is broken.
    broken: bool,
}

struct Connection {
    output: Output,
    flusher: Flusher,
}

/// Frames of one system call: as many as Linux takes at once are 1,024, and more than these is rare.
const PIECES: usize = 64;

/// How a socket ends: with a code, or because its connection is broken.
pub type Ended = Option<Code>;

impl SendQueue {
    /// From here what is queued is written.
    pub fn connect(self: &Arc<Self>, output: Output, flusher: Flusher) {
        let first = self.connection.set(Connection { output, flusher }).is_ok();
        debug_assert!(first, "a send queue has one connection");
        self.update(|_| ());
    }

    /// Queues a frame that is not an event of a conversation.
    pub fn send(self: &Arc<Self>, frame: &ServerFrame) {
        self.push(Frame::text(frame));
    }

    /// Queues a finished frame.
    pub fn push(self: &Arc<Self>, frame: Frame) {
        self.make_room(frame.len());
        self.update(|queue| queue.push(frame));
    }

    /// Queues a live event, see [`Queue::push_event`].
    pub fn push_event(self: &Arc<Self>, conversation: ConversationId, seq: Seq, frame: &Frame) {
        self.make_room(frame.len());
        self.update(|queue| queue.push_event(conversation, seq, frame.clone()));
    }

    /// See [`Queue::hold`].
    pub fn hold(self: &Arc<Self>, conversation: ConversationId) -> bool {
        self.update(|queue| queue.hold(conversation))
    }

    /// See [`Queue::release`].
    pub fn release(self: &Arc<Self>, conversation: ConversationId, sent: Seq) {
        self.update(|queue| queue.release(conversation, sent));
    }

    /// See [`Queue::abandon`].
    pub fn abandon(self: &Arc<Self>, conversation: ConversationId) {
        self.update(|queue| queue.abandon(conversation));
    }

    /// Closes the socket once what is queued is written; a slow reader's queue is dropped.
    pub fn close(self: &Arc<Self>, code: Code) {
        self.update(|queue| queue.close(code));
    }

    /// Resolves when less than half of the bound is queued, or the socket closes; returns whether it is still open.
    pub async fn wait_for_room(&self) -> bool {
        loop {
            let drained = self.drained.notified();
            {
                let state = self.state.lock();
                let open = state.queue.closing().is_none() && !state.broken;
                if state.has_room() || !open {
                    return open;
                }
            }
            drained.await;
        }
    }

    /// Less than half of the bound is queued.
    pub fn has_room(&self) -> bool {
        self.state.lock().has_room()
    }

    /// The turn to wait for room with a part of what was missed, see [`super::catch_up`].
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.part.lock().await
    }

    /// A flusher's turn: writes as much as the connection takes now; returns the number of system calls.
    pub fn flush(&self) -> u64 {
        let mut state = self.state.lock();
        state.scheduled = false;
        self.write_now(state)
    }

    fn write_now(&self, mut state: MutexGuard<'_, State>) -> u64 {
        let Some(Connection { output, .. }) = self.connection.get() else { return 0 };
        let writes = state.write_to(output);
        let ends = state.broken || (state.queue.closing().is_some() && state.is_written());
        let wake = ends || state.blocked;
        let room = state.has_room();
        drop(state);
        if wake {
            self.task.notify_one();
        }
        if room || ends {
            self.drained.notify_waiters();
        }
        writes
    }

    /// For the socket's task: while the connection takes no more, waits for it and writes. Resolves when the socket is
    /// to be closed; an orderly close waits until everything is written. A connection that takes nothing for
    /// [`limits::READER_STALLED`] is a slow reader's, however little waits for it.
    pub async fn ended(self: &Arc<Self>) -> Ended {
        loop {
            let (blocked, stalled) = {
                let state = self.state.lock();
                match state.queue.closing() {
                    _ if state.broken => return None,
                    Some(code) if code != Code::Restarting || state.is_written() => return Some(code),
                    _ => (state.blocked, state.stalled),
                }
            };
            let give_up = stalled.unwrap_or_else(Instant::now) + limits::READER_STALLED;
            tokio::select! {
                () = self.task.notified() => {}
                () = self.write_when_ready(), if blocked => {}
                () = sleep_until(give_up), if blocked => self.close(Code::SlowReader),
            }
        }
    }

    /// Ends with a close frame behind what is queued. Resolves when it is written, or cannot be.
    pub async fn finish(self: &Arc<Self>, code: Code) {
        self.update(|queue| {
            queue.close(code);
            queue.push_last(Frame::close(code));
        });
        loop {
            self.flush();
            {
                let state = self.state.lock();
                if state.is_written() || state.broken {
                    return;
                }
            }
            self.write_when_ready().await;
        }
    }

    /// Bytes that the connection took.
    pub fn sent(&self) -> u64 {
        self.connection.get().map_or(0, |Connection { output, .. }| output.sent())
    }

    /// Ends this side of the connection: the client sees its end behind what was written, and can still send.
    pub fn shut_down(&self) {
        if let Some(Connection { output, .. }) = self.connection.get() {
            output.shut_down();
        }
    }

    /// Waits until the connection takes more, and writes.
    async fn write_when_ready(&self) {
        if let Some(Connection { output, .. }) = self.connection.get() {
            // An error is reported again by the next write.
            let _ = output.writable().await;
            self.state.lock().blocked = false;
            self.flush();
        }
    }

    /// Only a connection that takes no more makes a slow reader. When the flusher or the socket's task is behind, the
    /// task that fills the queue writes it out, and is slowed down by that.
    fn make_room(&self, length: usize) {
        let mut state = self.state.lock();
        if !state.queue.fits(length) {
            state.blocked = false;
            self.write_now(state);
        }
    }

    /// Changes the queue, schedules the write, and wakes the tasks that wait for its state.
    fn update<T>(self: &Arc<Self>, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut state = self.state.lock();
        let open = state.queue.closing().is_none();
        let result = change(&mut state.queue);
        let closes = open && state.queue.closing().is_some();
        let idle = !state.queue.is_empty() && !state.scheduled && !state.blocked;
        let connection = self.connection.get().filter(|_| idle);
        state.scheduled |= connection.is_some();
        drop(state);
        if let Some(Connection { flusher, .. }) = connection {
            flusher.schedule(self);
        }
        if closes {
            self.task.notify_one();
            self.drained.notify_waiters();
        }
        result
    }
}

impl State {
    /// The kernel has all of it.
    fn is_written(&self) -> bool {
        self.queue.is_empty() && !self.held
    }

    fn has_room(&self) -> bool {
        self.queue.bytes() < limits::OUT_QUEUE / 2
    }

    /// Writes until nothing is left or the connection takes no more; returns the number of system calls.
    fn write_to(&mut self, output: &Output) -> u64 {
        let mut writes = 0;
        while !self.is_written() && !self.broken && !self.blocked {
            writes += 1;
            match write(output, &self.queue) {
                Ok(Written { taken, held }) => {
                    self.queue.written(taken);
                    self.held = held;
                    self.stalled = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    self.stalled.get_or_insert_with(Instant::now);
                }
                Err(_) => self.broken = true,
            }
        }
        writes
    }
}

fn write(output: &Output, queue: &Queue) -> io::Result<Written> {
    let mut pieces = [IoSlice::new(&[]); PIECES];
    let (count, _) = queue.next(&mut pieces);
    output.try_write(&pieces[..count])
}

#[cfg(test)]
impl SendQueue {
    /// Takes the frames that are queued, without a connection.
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
    use natter_runtime::lifecycle::Lifecycle;
    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{outbound::flush::Flushers, transport};

    /// A queue with a flusher that has not run yet, and its client.
    async fn connected() -> (Arc<SendQueue>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (_, output) = transport::split(accepted.expect("a client").0, None);
        // tokio learns that a new connection is writable only by waiting for it.
        output.writable().await.expect("a connection");
        let queue = Arc::new(SendQueue::default());
        queue.connect(output, Flushers::start(&Lifecycle::new()).pick());
        (queue, client.expect("a connection"))
    }

    fn closing(queue: &SendQueue) -> Option<Code> {
        queue.state.lock().queue.closing()
    }

    #[tokio::test]
    async fn a_flusher_that_is_behind_makes_no_slow_reader() {
        let (queue, mut client) = connected().await;
        let frame = Frame::of(&"x".repeat(1_000));
        let count = limits::OUT_QUEUE / frame.len() + 10;
        // The flusher is a task of this thread and has had no turn.
        (0..count).for_each(|_| queue.push(frame.clone()));
        assert_eq!(closing(&queue), None);
        let mut bytes = vec![0; count * frame.len()];
        client.read_exact(&mut bytes).await.expect("all of them");
    }

    #[tokio::test]
    async fn frames_leave_in_one_system_call_also_encrypted() {
        let ((_input, output), mut client) = transport::tests::encrypted().await;
        output.writable().await.expect("a connection");
        let queue = Arc::new(SendQueue::default());
        queue.connect(output, Flushers::start(&Lifecycle::new()).pick());
        let frame = Frame::of(&"x".repeat(300));
        (0..PIECES).for_each(|_| queue.push(frame.clone()));
        assert_eq!(queue.flush(), 1);
        let mut bytes = vec![0; PIECES * frame.len()];
        client.read_exact(&mut bytes).await.expect("all of them");
        assert!(bytes.chunks(frame.len()).all(|chunk| chunk == frame.bytes()));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_closed_when_its_queue_is_full() {
        let (queue, _client) = connected().await;
        let frame = Frame::of(&"x".repeat(limits::OUT_QUEUE / 8));
        // More than any kernel keeps for a connection by default.
        for _ in 0..8 * 64 {
            queue.push(frame.clone());
        }
        assert_eq!(closing(&queue), Some(Code::SlowReader));
    }
}
