//! How far a user has read, and from where on that is to be forgotten. Pure.

use natter_schemas::{id::Seq, rpc::OwnMark};

/// A conversation is marked as unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnreadMark {
    /// Of a user's marks of one conversation the one with the highest counts; of two with the same, the one that is
    /// further on.
    pub version: u64,
    /// The newest seq that is read, as long as it counts.
    pub position: Seq,
    /// How far the user had read: it counts until something beyond is read.
    pub over: Seq,
}

/// A user's read mark with what was marked as unread after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadPosition {
    /// The newest seq that was ever read: what others see.
    pub read: Seq,
    /// The newest one; none has the version 0.
    pub unread: UnreadMark,
    /// The newest version that was ended by reading again.
    pub ended: u64,
}

impl ReadPosition {
    /// The unread mark, if it counts.
    #[must_use]
    pub fn counting(&self) -> Option<UnreadMark> {
        let counts = self.unread.version > self.ended && self.read <= self.unread.over;
        counts.then_some(self.unread)
    }

    /// What the user sees.
    #[must_use]
    pub fn own(&self) -> OwnMark {
        match self.counting() {
            Some(mark) => OwnMark { seq: mark.position.min(self.read), version: 2 * mark.version - 1 },
            None => OwnMark { seq: self.read, version: 2 * self.unread.version },
        }
    }

    /// With what is known to be read beyond the stored mark.
    #[must_use]
    pub fn read_through(self, seq: Seq) -> Self {
        Self { read: self.read.max(seq), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(read: Seq, unread: (u64, Seq, Seq), ended: u64) -> ReadPosition {
        let (version, position, over) = unread;
        ReadPosition { read, unread: UnreadMark { version, position, over }, ended }
    }

    #[test]
    fn a_mark_as_unread_counts_until_more_is_read_or_it_is_ended() {
        let own = |of: ReadPosition| (of.own().seq, of.own().version);
        assert_eq!(own(position(9, (0, 0, 0), 0)), (9, 0));
        assert_eq!(own(position(9, (1, 4, 9), 0)), (4, 1));
        assert_eq!(own(position(9, (1, 4, 9), 1)), (9, 2));
        assert_eq!(own(position(9, (2, 5, 9), 1)), (5, 3));
        assert_eq!(own(position(9, (1, 4, 9), 0).read_through(10)), (10, 2));
    }
}
