//! What waits to be written to a socket: bounded by bytes, in order, with live events held behind missed ones.
//! Pure: who writes it, and when, is decided by the send queue.

use std::{
    collections::{HashMap, VecDeque},
    io::IoSlice,
};

use natter_schemas::{
    code::Code,
    id::{ConversationId, Seq},
    limits,
};

use crate::wire::frame::Frame;

#[derive(Default)]
pub struct Queue {
    frames: VecDeque<Frame>,
    /// Bytes of the first frame that the connection has taken already.
    taken: usize,
    /// Of everything queued or held.
    bytes: usize,
    close: Option<Code>,
    /// Conversations whose missed events are being sent, or were sent ahead of their live repeats.
    caught_up: HashMap<ConversationId, CatchUpState>,
}

/// Where a catch-up of one conversation is.
#[derive(Default)]
struct CatchUpState {
    /// Live events that wait for the missed ones; `None` once these are queued.
    held: Option<Vec<(Seq, Frame)>>,
    /// Everything up to here was queued from history: a live repeat of it that comes late is a duplicate.
    sent: Seq,
}

/// The buffer of a burst is not kept for the idle hours after it.
const IDLE_CAPACITY: usize = 8;

impl Queue {
    /// Dropped when the socket is closing.
    pub fn push(&mut self, frame: Frame) {
        if self.reserve(frame.len()) {
            self.frames.push_back(frame);
        }
    }

    /// A live event: behind the missed ones of its conversation if those are still on their way, and not at all
    /// if it is one of them.
    pub fn push_event(&mut self, conversation: ConversationId, seq: Seq, frame: Frame) {
        if self.caught_up.is_empty() {
            return self.push(frame);
        }
        match self.caught_up.get(&conversation) {
            Some(catch_up) if catch_up.held.is_some() => self.hold_back(conversation, seq, frame),
            Some(catch_up) if seq <= catch_up.sent => {}
            Some(_) => {
                // Live traffic has passed what history sent: nothing older comes any more.
                self.caught_up.remove(&conversation);
                self.push(frame);
            }
            None => self.push(frame),
        }
    }

    /// From here live events of the conversation wait for [`Self::release`] or [`Self::abandon`]. False: already
    /// held by another catch-up.
    pub fn hold(&mut self, conversation: ConversationId) -> bool {
        let catch_up = self.caught_up.entry(conversation).or_default();
        let free = catch_up.held.is_none();
        if free {
            catch_up.held = Some(Vec::new());
        }
        free
    }

    /// The missed events up to `sent` are queued: what waited and is newer follows, then traffic is live.
    pub fn release(&mut self, conversation: ConversationId, sent: Seq) {
        let Some(catch_up) = self.caught_up.get_mut(&conversation) else { return };
        let held = catch_up.held.take().unwrap_or_default();
        catch_up.sent = catch_up.sent.max(sent);
        for (seq, frame) in held {
            self.bytes = self.bytes.saturating_sub(frame.len());
            self.push_event(conversation, seq, frame);
        }
    }

    /// The missed events cannot be loaded: what waited is dropped, so that the gap shows in what follows.
    pub fn abandon(&mut self, conversation: ConversationId) {
        let held = self.caught_up.get_mut(&conversation).and_then(|catch_up| catch_up.held.take());
        let bytes: usize = held.iter().flatten().map(|(_, frame)| frame.len()).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Nothing is accepted after this. What is queued may still be written; a slow reader's queue is dropped.
    pub fn close(&mut self, code: Code) {
        if self.close.is_some() {
            return;
        }
        self.close = Some(code);
        if code == Code::SlowReader {
            metrics::counter!("natter_slow_readers_total").increment(1);
            // A frame that is half written must be completed, or the close frame would be read as its rest.
            self.frames.truncate(usize::from(self.taken > 0));
            self.frames.shrink_to(IDLE_CAPACITY);
            self.caught_up = HashMap::new();
            self.bytes = self.frames.front().map_or(0, Frame::len) - self.taken;
        }
    }

    /// The close frame, behind everything queued.
    pub fn push_last(&mut self, frame: Frame) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    pub fn closing(&self) -> Option<Code> {
        self.close
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a frame of so many bytes may be queued. One larger than the bound still passes when nothing else waits.
    pub fn fits(&self, length: usize) -> bool {
        self.bytes == 0 || self.bytes + length <= limits::OUT_QUEUE
    }

    /// The bytes to write next, as far as there is room for pieces: how many pieces, how many bytes.
    pub fn next<'a>(&'a self, pieces: &mut [IoSlice<'a>]) -> (usize, usize) {
        let (mut count, mut bytes, mut skip) = (0, 0, self.taken);
        for (piece, frame) in pieces.iter_mut().zip(&self.frames) {
            *piece = IoSlice::new(&frame.bytes()[skip..]);
            bytes += frame.len() - skip;
            count += 1;
            skip = 0;
        }
        (count, bytes)
    }

    /// The connection has taken so many bytes.
    pub fn written(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.taken += bytes;
        while let Some(first) = self.frames.front()
            && first.len() <= self.taken
        {
            self.taken -= first.len();
            self.frames.pop_front();
        }
        if self.frames.is_empty() {
            self.frames.shrink_to(IDLE_CAPACITY);
        }
    }

    fn hold_back(&mut self, conversation: ConversationId, seq: Seq, frame: Frame) {
        if self.reserve(frame.len()) {
            let catch_up = self.caught_up.entry(conversation).or_default();
            catch_up.held.get_or_insert_default().push((seq, frame));
        }
    }

    fn reserve(&mut self, length: usize) -> bool {
        if self.close.is_some() {
            return false;
        }
        if !self.fits(length) {
            self.close(Code::SlowReader);
            return false;
        }
        self.bytes += length;
        true
    }
}

#[cfg(test)]
impl Queue {
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> ConversationId {
        ConversationId::fresh()
    }

    fn texts(queue: &mut Queue) -> Vec<String> {
        let texts = queue.frames.iter().map(|f| String::from_utf8_lossy(f.bytes()).into_owned()).collect();
        queue.written(queue.frames.iter().map(Frame::len).sum());
        texts
    }

    #[test]
    fn a_full_queue_closes_its_socket_and_frees_its_memory() {
        let mut queue = Queue::default();
        let big = Frame::of(&"x".repeat(limits::OUT_QUEUE / 4));
        for _ in 0..4 {
            queue.push(big.clone());
            assert_eq!(queue.closing(), None);
        }
        queue.push(big);
        queue.push(Frame::of("late"));
        assert_eq!((queue.closing(), queue.bytes()), (Some(Code::SlowReader), 0));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_frame_that_is_half_written_is_completed_before_a_slow_reader_is_closed() {
        let mut queue = Queue::default();
        for text in ["first", "second", "third"] {
            queue.push(Frame::of(text));
        }
        queue.written("firstsec".len());
        queue.close(Code::SlowReader);
        queue.push_last(Frame::of("bye"));
        let mut pieces = [IoSlice::new(&[]); 4];
        assert_eq!(queue.next(&mut pieces), (2, 6));
        assert_eq!((&*pieces[0], &*pieces[1]), (&b"ond"[..], &b"bye"[..]));
        assert_eq!(queue.bytes(), 6);
    }

    #[test]
    fn live_events_wait_behind_the_missed_ones() {
        let (mut queue, conversation, other) = (Queue::default(), conversation(), conversation());
        assert!(queue.hold(conversation));
        assert!(!queue.hold(conversation));
        queue.push_event(conversation, 7, Frame::of("live 7"));
        queue.push_event(other, 3, Frame::of("other 3"));
        queue.push_event(conversation, 8, Frame::of("live 8"));
        queue.push(Frame::of("missed 6"));
        queue.push(Frame::of("missed 7"));
        queue.release(conversation, 7);
        queue.push_event(conversation, 9, Frame::of("live 9"));
        assert_eq!(texts(&mut queue), ["other 3", "missed 6", "missed 7", "live 8", "live 9"]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn a_live_repeat_of_what_history_sent_is_not_shown_twice() {
        let (mut queue, conversation) = (Queue::default(), conversation());
        assert!(queue.hold(conversation));
        queue.push(Frame::of("missed 6"));
        queue.push(Frame::of("missed 7"));
        queue.release(conversation, 7);
        // History was read before the repeats arrived here.
        queue.push_event(conversation, 6, Frame::of("live 6"));
        queue.push_event(conversation, 7, Frame::of("live 7"));
        queue.push_event(conversation, 9, Frame::of("live 9"));
        assert_eq!(texts(&mut queue), ["missed 6", "missed 7", "live 9"]);
    }

    #[test]
    fn a_catch_up_that_failed_drops_what_waited_and_remembers_what_was_sent_before() {
        let (mut queue, conversation) = (Queue::default(), conversation());
        assert!(queue.hold(conversation));
        queue.release(conversation, 7);
        assert!(queue.hold(conversation));
        queue.push_event(conversation, 8, Frame::of("live 8"));
        queue.abandon(conversation);
        queue.push_event(conversation, 7, Frame::of("live 7"));
        queue.push_event(conversation, 9, Frame::of("live 9"));
        assert_eq!(texts(&mut queue), ["live 9"]);
        assert!(queue.hold(conversation));
    }

    #[test]
    fn what_is_queued_goes_out_before_an_orderly_close() {
        let mut queue = Queue::default();
        queue.push(Frame::of("goodbye"));
        queue.close(Code::Restarting);
        queue.push(Frame::of("late"));
        queue.push_last(Frame::of("close"));
        assert_eq!(texts(&mut queue), ["goodbye", "close"]);
    }
}
