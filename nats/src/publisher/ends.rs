//! How far each partition's log is known to reach: by acks to this process, and by what it has read. A log gives no seq
//! out twice, so an ack at or below what was there before its event was sent comes from one that was rolled back: its
//! server lost what it had not synced, or its files were put back.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use natter_schemas::{
    id::{Partition, Seq},
    limits,
};

use crate::subject;

#[derive(Clone)]
pub struct LogEnds(Arc<[AtomicU64]>);

impl Default for LogEnds {
    fn default() -> Self {
        Self((0..limits::PARTITIONS_MAX).map(|_| AtomicU64::new(0)).collect())
    }
}

impl LogEnds {
    /// 0 for the subject of another stream.
    pub fn of(&self, subject: &str) -> Seq {
        self.end(subject::parse_log_partition(subject)).map_or(0, |end| end.load(Ordering::Acquire))
    }

    pub fn reach(&self, partition: Partition, seq: Seq) {
        if let Some(end) = self.end(Some(partition)) {
            end.fetch_max(seq, Ordering::AcqRel);
        }
    }

    fn end(&self, partition: Option<Partition>) -> Option<&AtomicU64> {
        self.0.get(usize::from(partition?.0))
    }
}

#[cfg(test)]
mod tests {
    use natter_schemas::id::ConversationId;

    use super::*;

    #[test]
    fn a_log_is_known_to_reach_as_far_as_the_highest_seq_of_its_partition() {
        let ends = LogEnds::default();
        for (partition, seq) in [(3, 7), (3, 5), (4, 9), (limits::PARTITIONS_MAX, 1)] {
            ends.reach(Partition(partition), seq);
        }
        let room = ConversationId::fresh();
        let known = |partition| ends.of(&subject::conv(Partition(partition), room));
        assert_eq!([0, 3, 4, limits::PARTITIONS_MAX].map(known), [0, 7, 9, 0]);
        assert_eq!(ends.of(&subject::reads(Partition(3), room, natter_schemas::id::UserId::fresh())), 0);
    }
}
