use natter_schemas::{
    event::Timestamp,
    id::{Partition, Seq},
};
use serde::{Deserialize, Serialize};

use crate::publisher::PublishError;

/// What a node did with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Its command arrived at this edge.
    Received,
    /// It was found among events of long ago: sent again, and not published again.
    FoundEarlier,
    /// The edge decided that it may become an event.
    Admitted,
    /// The log has it.
    Published {
        /// How often it was sent to the log until the log answered.
        attempts: u32,
        /// The log had it already, by an earlier attempt or an earlier send.
        duplicate: bool,
    },
    /// The log is not known to have it.
    NotPublished(Failure),
    /// It came back from the log.
    Heard,
    /// It was put into the queues of so many sockets.
    Delivered {
        /// How many.
        sockets: u32,
    },
    /// The persister has stored it.
    Stored,
    /// The store did not take it; it is delivered to a persister again.
    Retried,
    /// The persister put it aside, for a person to look at.
    Parked,
    /// Kafka has it.
    Mirrored {
        /// In the Kafka partition of the same number as the log's.
        offset: u64,
    },
}

/// Why the log is not known to have an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// No answer in time: it may or may not be stored.
    TimedOut,
    /// The log is full.
    Full,
    /// The log cannot write.
    NotWritten,
    /// The conversation's last event was another than the expected one.
    Moved,
    /// Refused for good.
    Rejected,
    /// The log had been rolled back.
    RolledBack,
}

impl From<&PublishError> for Failure {
    fn from(error: &PublishError) -> Self {
        match error {
            PublishError::TimedOut => Self::TimedOut,
            PublishError::Full => Self::Full,
            PublishError::NotWritten => Self::NotWritten,
            PublishError::RolledBack => Self::RolledBack,
            PublishError::Moved => Self::Moved,
            PublishError::Rejected(_) => Self::Rejected,
        }
    }
}

impl Failure {
    /// In one word, for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Full => "full",
            Self::NotWritten => "not_written",
            Self::Moved => "moved",
            Self::Rejected => "rejected",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// One step, as a node remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// What happened.
    pub step: Step,
    /// Where in the log, as far as it was known then.
    pub place: Option<(Partition, Seq)>,
    /// When, by the wall clock of the node's machine: not to be compared with another node's.
    pub at: Timestamp,
    /// Microseconds since the node started, by its monotonic clock: only differences within a node mean something.
    pub micros: u64,
}

/// A step as the ring has it: which one, and a number and a flag of it.
pub(super) type Packed = (u8, bool, u64);

impl Step {
    pub(super) fn pack(self) -> Packed {
        match self {
            Self::Received => (0, false, 0),
            Self::FoundEarlier => (1, false, 0),
            Self::Admitted => (2, false, 0),
            Self::Published { attempts, duplicate } => (3, duplicate, attempts.into()),
            Self::NotPublished(failure) => (4, false, failure.number()),
            Self::Heard => (5, false, 0),
            Self::Delivered { sockets } => (6, false, sockets.into()),
            Self::Stored => (7, false, 0),
            Self::Retried => (8, false, 0),
            Self::Parked => (9, false, 0),
            Self::Mirrored { offset } => (10, false, offset),
        }
    }

    pub(super) fn unpack((kind, flag, number): Packed) -> Option<Self> {
        let small = || u32::try_from(number).unwrap_or(u32::MAX);
        Some(match kind {
            0 => Self::Received,
            1 => Self::FoundEarlier,
            2 => Self::Admitted,
            3 => Self::Published { attempts: small(), duplicate: flag },
            4 => Self::NotPublished(Failure::of_number(number)),
            5 => Self::Heard,
            6 => Self::Delivered { sockets: small() },
            7 => Self::Stored,
            8 => Self::Retried,
            9 => Self::Parked,
            10 => Self::Mirrored { offset: number },
            _ => return None,
        })
    }
}

impl Failure {
    const fn number(self) -> u64 {
        match self {
            Self::TimedOut => 0,
            Self::Full => 1,
            Self::NotWritten => 2,
            Self::Moved => 3,
            Self::Rejected => 4,
            Self::RolledBack => 5,
        }
    }

    const fn of_number(number: u64) -> Self {
        match number {
            0 => Self::TimedOut,
            1 => Self::Full,
            2 => Self::NotWritten,
            3 => Self::Moved,
            5 => Self::RolledBack,
            _ => Self::Rejected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_unpacked_as_it_was_packed() {
        let failures = [
            Failure::TimedOut,
            Failure::Full,
            Failure::NotWritten,
            Failure::Moved,
            Failure::Rejected,
            Failure::RolledBack,
        ];
        let steps = [
            Step::Received,
            Step::FoundEarlier,
            Step::Admitted,
            Step::Published { attempts: 3, duplicate: true },
            Step::Heard,
            Step::Delivered { sockets: 10_000 },
            Step::Stored,
            Step::Retried,
            Step::Parked,
            Step::Mirrored { offset: u64::MAX },
        ];
        for step in steps.into_iter().chain(failures.map(Step::NotPublished)) {
            assert_eq!(Step::unpack(step.pack()), Some(step));
        }
        assert_eq!(Step::unpack((11, false, 0)), None);
    }
}
