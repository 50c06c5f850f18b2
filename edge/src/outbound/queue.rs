//! A socket's outgoing frames: bounded by bytes, never waited for. A reader that lets it fill is closed (4008)
//! and resumes; its neighbours notice nothing.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use schemas::{
    code::Code,
    frame::ServerFrame,
    id::{ConversationId, Seq},
    limits,
};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    Queued,
    /// The socket is closing; the frame is dropped.
    Closing,
}

#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    /// Something to write, or to close.
    wake: Notify,
    /// A batch was taken: there is room again.
    drained: Notify,
    /// The socket is to be closed: interrupts a write that is stuck.
    closing: Notify,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Utf8Bytes>,
    bytes: usize,
    close: Option<Code>,
    /// Conversations whose missed events are being sent, or were sent ahead of their live repeats.
    caught_up: HashMap<ConversationId, CatchUp>,
}

/// Where a catch-up of one conversation is.
#[derive(Default)]
struct CatchUp {
    /// Live events that wait for the missed ones; `None` once these are queued.
    held: Option<Vec<(Seq, Utf8Bytes)>>,
    /// Everything up to here was queued from history: a live repeat of it that comes late is a double.
    sent: Seq,
}

/// What the writer does next.
#[derive(Debug, Default)]
pub struct Batch {
    pub frames: Vec<Utf8Bytes>,
    pub close: Option<Code>,
}

/// Bytes written in one go: one system call for many small frames, a short wait for none.
const BATCH: usize = 32 * 1024;

impl Outbox {
    /// Queues a frame that is not an event of a conversation.
    pub fn offer(&self, frame: &ServerFrame) -> Offer {
        self.push(Utf8Bytes::from(frame.to_json()))
    }

    /// Queues a finished frame.
    pub fn push(&self, frame: Utf8Bytes) -> Offer {
        let offer = self.state.lock().push(frame);
        self.announce(offer);
        offer
    }

    /// Queues a live event: behind the missed ones of its conversation if those are still on their way, and not
    /// at all if it was one of them.
    pub fn push_event(&self, conversation: ConversationId, seq: Seq, frame: &Utf8Bytes) -> Offer {
        let mut state = self.state.lock();
        let offer = if state.caught_up.is_empty() {
            state.push(frame.clone())
        } else {
            state.push_after_catch_up(conversation, seq, frame)
        };
        drop(state);
        self.announce(offer);
        offer
    }

    /// From here live events of the conversation wait for [`Self::release`] or [`Self::give_up`]. False: already
    /// held by another catch-up.
    pub fn hold(&self, conversation: ConversationId) -> bool {
        let mut state = self.state.lock();
        let catch_up = state.caught_up.entry(conversation).or_default();
        let free = catch_up.held.is_none();
        if free {
            catch_up.held = Some(Vec::new());
        }
        free
    }

    /// The missed events up to `sent` are queued: what waited and is newer follows, then traffic is live.
    pub fn release(&self, conversation: ConversationId, sent: Seq) {
        let mut state = self.state.lock();
        let Some(catch_up) = state.caught_up.get_mut(&conversation) else { return };
        let held = catch_up.held.take().unwrap_or_default();
        catch_up.sent = catch_up.sent.max(sent);
        let mut offer = Offer::Queued;
        for (seq, frame) in held {
            state.bytes = state.bytes.saturating_sub(frame.len());
            offer = state.push_after_catch_up(conversation, seq, &frame);
        }
        drop(state);
        self.announce(offer);
    }

    /// The missed events cannot be had: what waited is dropped, so that the hole shows in what follows.
    pub fn give_up(&self, conversation: ConversationId) {
        let mut state = self.state.lock();
        let held = state.caught_up.get_mut(&conversation).and_then(|catch_up| catch_up.held.take());
        let bytes: usize = held.iter().flatten().map(|(_, frame)| frame.len()).sum();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// Closes the socket once what is queued is written; a slow reader's queue is dropped.
    pub fn close(&self, code: Code) {
        self.state.lock().close(code);
        self.announce(Offer::Closing);
    }

    /// Waits for something to do and takes it.
    pub async fn next(&self) -> Batch {
        loop {
            let woken = self.wake.notified();
            if let Some(batch) = self.take() {
                return batch;
            }
            woken.await;
        }
    }

    /// What is queued, up to [`BATCH`] bytes.
    pub fn take(&self) -> Option<Batch> {
        let mut state = self.state.lock();
        let mut batch = Batch::default();
        let mut bytes = 0;
        while bytes < BATCH {
            let Some(frame) = state.frames.pop_front() else { break };
            bytes += frame.len();
            batch.frames.push(frame);
        }
        state.bytes -= bytes;
        if state.frames.is_empty() {
            batch.close = state.close;
            // A burst's buffer is not kept for the idle hours after it.
            state.frames.shrink_to(8);
        }
        drop(state);
        if bytes > 0 {
            self.drained.notify_waiters();
        }
        (!batch.frames.is_empty() || batch.close.is_some()).then_some(batch)
    }

    /// Resolves when less than half of the bound is queued, or the socket closes.
    pub async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            {
                let state = self.state.lock();
                if state.bytes < limits::OUT_QUEUE / 2 || state.close.is_some() {
                    return;
                }
            }
            drained.await;
        }
    }

    /// Resolves when the socket is to be closed without waiting for its reader: any close but an orderly one.
    pub async fn cut(&self) -> Code {
        loop {
            let closing = self.closing.notified();
            if let Some(code) = self.state.lock().close.filter(|code| *code != Code::Restarting) {
                return code;
            }
            closing.await;
        }
    }

    fn announce(&self, offer: Offer) {
        self.wake.notify_one();
        if offer == Offer::Closing {
            self.closing.notify_waiters();
            self.drained.notify_waiters();
        }
    }
}

impl State {
    fn push(&mut self, frame: Utf8Bytes) -> Offer {
        match self.admit(frame.len()) {
            Offer::Queued => {
                self.frames.push_back(frame);
                Offer::Queued
            }
            Offer::Closing => Offer::Closing,
        }
    }

    fn push_after_catch_up(&mut self, conversation: ConversationId, seq: Seq, frame: &Utf8Bytes) -> Offer {
        match self.caught_up.get(&conversation) {
            Some(catch_up) if catch_up.held.is_some() => self.hold(conversation, seq, frame.clone()),
            Some(catch_up) if seq <= catch_up.sent => Offer::Queued,
            Some(_) => {
                // Live traffic has passed what history sent: nothing older comes any more.
                self.caught_up.remove(&conversation);
                self.push(frame.clone())
            }
            None => self.push(frame.clone()),
        }
    }

    fn hold(&mut self, conversation: ConversationId, seq: Seq, frame: Utf8Bytes) -> Offer {
        let offer = self.admit(frame.len());
        if offer == Offer::Queued {
            let catch_up = self.caught_up.entry(conversation).or_default();
            catch_up.held.get_or_insert_default().push((seq, frame));
        }
        offer
    }

    fn admit(&mut self, length: usize) -> Offer {
        if self.close.is_some() {
            return Offer::Closing;
        }
        // A single frame larger than the bound still passes when nothing else waits.
        if self.bytes + length > limits::OUT_QUEUE && self.bytes > 0 {
            self.close(Code::SlowReader);
            return Offer::Closing;
        }
        self.bytes += length;
        Offer::Queued
    }

    fn close(&mut self, code: Code) {
        if self.close.is_some() {
            return;
        }
        self.close = Some(code);
        if code == Code::SlowReader {
            metrics::counter!("natter_slow_readers_total").increment(1);
            self.frames = VecDeque::new();
            self.caught_up = HashMap::new();
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> ConversationId {
        ConversationId::fresh()
    }

    fn frame(text: &str) -> Utf8Bytes {
        Utf8Bytes::from(text.to_owned())
    }

    fn texts(outbox: &Outbox) -> Vec<String> {
        outbox.take().map(|b| b.frames.iter().map(ToString::to_string).collect()).unwrap_or_default()
    }

    #[test]
    fn a_full_queue_closes_its_socket_and_frees_its_memory() {
        let outbox = Outbox::default();
        let big = frame(&"x".repeat(limits::OUT_QUEUE / 4));
        for _ in 0..4 {
            assert_eq!(outbox.push(big.clone()), Offer::Queued);
        }
        assert_eq!(outbox.push(big.clone()), Offer::Closing);
        assert_eq!(outbox.push(frame("late")), Offer::Closing);
        let batch = outbox.take().expect("a close is something to do");
        assert_eq!((batch.frames.len(), batch.close), (0, Some(Code::SlowReader)));
    }

    #[test]
    fn live_events_wait_behind_the_missed_ones() {
        let (outbox, room, other) = (Outbox::default(), room(), room());
        assert!(outbox.hold(room));
        assert!(!outbox.hold(room));
        outbox.push_event(room, 7, &frame("live 7"));
        outbox.push_event(other, 3, &frame("other 3"));
        outbox.push_event(room, 8, &frame("live 8"));
        outbox.push(frame("missed 6"));
        outbox.push(frame("missed 7"));
        outbox.release(room, 7);
        outbox.push_event(room, 9, &frame("live 9"));
        assert_eq!(texts(&outbox), ["other 3", "missed 6", "missed 7", "live 8", "live 9"]);
    }

    #[test]
    fn a_live_repeat_of_what_history_sent_is_not_shown_twice() {
        let (outbox, room) = (Outbox::default(), room());
        assert!(outbox.hold(room));
        outbox.push(frame("missed 6"));
        outbox.push(frame("missed 7"));
        outbox.release(room, 7);
        // History was read before the repeats arrived here.
        outbox.push_event(room, 6, &frame("live 6"));
        outbox.push_event(room, 7, &frame("live 7"));
        outbox.push_event(room, 9, &frame("live 9"));
        assert_eq!(texts(&outbox), ["missed 6", "missed 7", "live 9"]);
    }

    #[test]
    fn a_catch_up_that_failed_drops_what_waited_and_remembers_what_was_sent_before() {
        let (outbox, room) = (Outbox::default(), room());
        assert!(outbox.hold(room));
        outbox.release(room, 7);
        assert!(outbox.hold(room));
        outbox.push_event(room, 8, &frame("live 8"));
        outbox.give_up(room);
        outbox.push_event(room, 7, &frame("live 7"));
        outbox.push_event(room, 9, &frame("live 9"));
        assert_eq!(texts(&outbox), ["live 9"]);
        assert!(outbox.hold(room));
    }

    #[test]
    fn what_is_queued_goes_out_before_an_orderly_close() {
        let outbox = Outbox::default();
        outbox.push(frame("goodbye"));
        outbox.close(Code::Restarting);
        let batch = outbox.take().expect("something to write");
        assert_eq!((batch.frames.len(), batch.close), (1, Some(Code::Restarting)));
    }
}
