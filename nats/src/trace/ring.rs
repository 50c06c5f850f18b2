//! Written by every task that moves events, read when someone asks. No writer waits, allocates or takes a lock: each
//! takes the next slot by one atomic addition, and a slot's stamp shows a reader whether what it read belongs together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering, fence},
};

use natter_schemas::{
    event::Timestamp,
    id::{EventId, Partition, Seq},
};
use tokio::time::Instant;

use super::hop::{Hop, Step};

/// Hops of events that a node remembers, of 64 bytes: 1 MiB. At 500 events a second they reach back 16 s.
const HOPS: usize = 16_384;
/// Hops of one event in an answer, the newest ones: 3 KiB.
const HOPS_IN_ANSWER: usize = 64;

/// The newest hops of this node. Clones share it.
#[derive(Clone)]
pub struct TraceRing(Arc<Inner>);

struct Inner {
    /// How many hops were ever recorded.
    next: AtomicU64,
    slots: Box<[Slot]>,
    started: Instant,
}

/// One cache line.
#[derive(Default)]
#[repr(align(64))]
struct Slot {
    /// Twice the number of the hop, from 1; odd while it is written; 0: never was.
    stamp: AtomicU64,
    words: [AtomicU64; WORDS],
}

const WORDS: usize = 7;

/// Everything that a hop is, in the order of its words.
type Words = [u64; WORDS];

impl Default for TraceRing {
    fn default() -> Self {
        Self::of(HOPS)
    }
}

impl TraceRing {
    fn of(slots: usize) -> Self {
        let slots = (0..slots).map(|_| Slot::default()).collect();
        Self(Arc::new(Inner { next: AtomicU64::new(0), slots, started: Instant::now() }))
    }

    /// Remembers a step of an event now; `place`, if it has one in the log by then.
    pub fn record(&self, event: EventId, place: Option<(Partition, Seq)>, step: Step) {
        let micros = u64::try_from(self.0.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.write(&words(event, &Hop { step, place, at: Timestamp::now(), micros }));
    }

    /// The same, for events of one partition that are in its log.
    pub fn at(&self, partition: Partition) -> PartitionTrace {
        PartitionTrace { ring: self.clone(), partition }
    }

    fn write(&self, words: &Words) {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (slot, stamp) = (self.slot(number), 2 * (number + 1));
        let before = slot.stamp.load(Ordering::Relaxed);
        // A writer that stood still while the others went once around loses its hop; so does one that meets it.
        let is_free = before.is_multiple_of(2) && before < stamp;
        if !is_free
            || slot.stamp.compare_exchange(before, stamp - 1, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        fence(Ordering::Release);
        for (word, value) in slot.words.iter().zip(words) {
            word.store(*value, Ordering::Relaxed);
        }
        slot.stamp.store(stamp, Ordering::Release);
    }

    /// What is remembered of an event, oldest first, the newest 64; and how far back the ring reaches.
    pub fn find(&self, event: EventId) -> (Vec<Hop>, Option<Timestamp>) {
        let (mut found, mut oldest) = (Vec::new(), None::<(u64, Timestamp)>);
        for slot in &self.0.slots {
            let Some((stamp, words)) = slot.read() else { continue };
            let Some((id, hop)) = hop(&words) else { continue };
            if oldest.is_none_or(|(other, _)| stamp < other) {
                oldest = Some((stamp, hop.at));
            }
            if id == event {
                found.push((stamp, hop));
            }
        }
        found.sort_unstable_by_key(|(stamp, _)| *stamp);
        let many = found.len().saturating_sub(HOPS_IN_ANSWER);
        let hops = found.drain(many..).map(|(_, hop)| hop).collect();
        (hops, oldest.map(|(_, at)| at))
    }

    fn slot(&self, number: u64) -> &Slot {
        let slots = self.0.slots.len();
        let at = number % u64::try_from(slots).expect("a length fits 64 bits");
        &self.0.slots[usize::try_from(at).expect("it is below a length")]
    }
}

impl Slot {
    /// `None`: nothing yet, or it changed meanwhile.
    fn read(&self) -> Option<(u64, Words)> {
        let stamp = self.stamp.load(Ordering::Acquire);
        if stamp == 0 || !stamp.is_multiple_of(2) {
            return None;
        }
        let words = std::array::from_fn(|at| self.words[at].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        (self.stamp.load(Ordering::Relaxed) == stamp).then_some((stamp, words))
    }
}

/// A ring, for events of one partition.
#[derive(Clone)]
pub struct PartitionTrace {
    ring: TraceRing,
    partition: Partition,
}

impl PartitionTrace {
    /// Remembers a step of the event at `seq`.
    pub fn record(&self, event: EventId, seq: Seq, step: Step) {
        self.ring.record(event, Some((self.partition, seq)), step);
    }
}

fn words(event: EventId, hop: &Hop) -> Words {
    let (kind, flag, number) = hop.step.pack();
    let (partition, seq) = hop.place.unwrap_or((Partition(0), 0));
    let id = u128::from_be_bytes(*event.as_bytes());
    let half = |shift: u32| u64::try_from((id >> shift) & u128::from(u64::MAX)).expect("it has 64 bits");
    let what = u64::from(kind) | u64::from(flag) << 8 | u64::from(partition.0) << 16;
    [half(64), half(0), seq, hop.at.0.cast_unsigned(), hop.micros, what, number]
}

fn hop(words: &Words) -> Option<(EventId, Hop)> {
    let [high, low, seq, at, micros, what, number] = *words;
    let id = u128::from(high) << 64 | u128::from(low);
    let [kind, flag, low, high, ..] = what.to_le_bytes();
    let step = Step::unpack((kind, flag != 0, number))?;
    let place = (seq != 0).then(|| (Partition(u16::from_le_bytes([low, high])), seq));
    let hop = Hop { step, place, at: Timestamp(at.cast_signed()), micros };
    Some((EventId::from_bytes(id.to_be_bytes()), hop))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn hops_come_back_as_they_were_and_in_order() {
        let (ring, event) = (TraceRing::of(8), EventId::fresh());
        assert_eq!(ring.find(event), (Vec::new(), None));
        ring.record(event, None, Step::Received);
        ring.record(EventId::fresh(), None, Step::Received);
        ring.at(Partition(513)).record(event, 7, Step::Published { attempts: 2, duplicate: true });
        let (hops, oldest) = ring.find(event);
        let steps: Vec<_> = hops.iter().map(|hop| (hop.step, hop.place)).collect();
        let published = Step::Published { attempts: 2, duplicate: true };
        assert_eq!(steps, [(Step::Received, None), (published, Some((Partition(513), 7)))]);
        assert!(hops[0].micros <= hops[1].micros);
        assert_eq!(oldest, Some(hops[0].at));
    }

    #[test]
    fn the_oldest_hops_are_forgotten_first() {
        let (ring, first, second) = (TraceRing::of(4), EventId::fresh(), EventId::fresh());
        ring.record(first, None, Step::Received);
        for _ in 0..4 {
            ring.record(second, None, Step::Heard);
        }
        assert!(ring.find(first).0.is_empty());
        assert_eq!(ring.find(second).0.len(), 4);
    }

    #[test]
    fn what_is_told_of_one_event_is_bounded() {
        let (ring, event) = (TraceRing::default(), EventId::fresh());
        for offset in 0..1_000 {
            ring.record(event, None, Step::Mirrored { offset });
        }
        let (hops, _) = ring.find(event);
        assert_eq!(hops.len(), HOPS_IN_ANSWER);
        assert_eq!(hops.last().map(|hop| hop.step), Some(Step::Mirrored { offset: 999 }));
    }

    /// Each writer's hops name its event in every word that can: a mix of two would name another.
    #[test]
    fn writers_at_once_never_mix_their_hops() {
        let ring = TraceRing::of(16);
        let writers: Vec<_> = (1..=4_u64)
            .map(|writer| {
                let ring = ring.clone();
                let event = EventId::from_bytes(u128::from(writer).to_be_bytes());
                (
                    writer,
                    event,
                    thread::spawn(move || {
                        for _ in 0..50_000 {
                            let place = Some((Partition(0), writer));
                            ring.record(event, place, Step::Mirrored { offset: writer });
                        }
                    }),
                )
            })
            .collect();
        while writers.iter().any(|(.., thread)| !thread.is_finished()) {
            for (writer, event, _) in &writers {
                for hop in ring.find(*event).0 {
                    assert_eq!(hop.place, Some((Partition(0), *writer)));
                    assert_eq!(hop.step, Step::Mirrored { offset: *writer });
                }
            }
        }
        let left: usize = writers.iter().map(|(_, event, _)| ring.find(*event).0.len()).sum();
        assert!(left > 0);
    }
}
