//! Domain values as CQL's, and the timestamps with which they are written.

use natter_schemas::{
    event::{LogEntry, Role, Shape, Timestamp},
    id::Seq,
};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use crate::{Result, StoreError};

/// Seqs of a real log stay far below 2⁶³; one that a client invented above it names nothing either way.
pub fn int(seq: Seq) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub fn seq(value: i64) -> Seq {
    Seq::try_from(value).unwrap_or(0)
}

pub fn raw(id: &[u8; 16]) -> Uuid {
    Uuid::from_bytes(*id)
}

pub fn time(at: Timestamp) -> CqlTimestamp {
    CqlTimestamp(at.0)
}

/// The bucket that holds a seq: 2²⁰ seqs of the log partition. The arithmetic is beside the tables.
pub fn bucket(seq: Seq) -> i64 {
    int(seq) >> 20
}

/// Above every seq, and as microseconds long ago: ScyllaDB refuses write timestamps of the future.
const TOP: i64 = 1 << 50;

/// A write timestamp with which the highest seq stays.
pub fn newest(seq: Seq) -> i64 {
    int(seq).min(TOP)
}

/// A write timestamp with which the lowest seq stays.
pub fn first(seq: Seq) -> i64 {
    TOP - newest(seq)
}

/// A write timestamp for what is left of an event without its text: above every other of an event, in the year 2014, and
/// the later event's stays.
pub fn emptied(seq: Seq) -> i64 {
    TOP + TOP / 4 + newest(seq)
}

/// A write timestamp with which the text stays that was sealed with the latest key, above that of every text from the log.
pub fn resealed(epoch: u32) -> i64 {
    TOP + 1 + i64::from(epoch)
}

/// A write timestamp with which the latest time stays.
pub fn latest(at: Timestamp) -> i64 {
    at.0.clamp(0, TOP)
}

pub const ABSENT: i8 = 0;

pub fn of_role(role: Role) -> i8 {
    match role {
        Role::Member => 1,
        Role::Admin => 2,
        Role::Owner => 3,
    }
}

/// `None`: not a member.
pub fn role(value: i8) -> Result<Option<Role>> {
    match value {
        ABSENT => Ok(None),
        1 => Ok(Some(Role::Member)),
        2 => Ok(Some(Role::Admin)),
        3 => Ok(Some(Role::Owner)),
        other => Err(StoreError::Corrupt(format!("{other} is no role"))),
    }
}

pub fn of_shape(shape: Shape) -> i8 {
    match shape {
        Shape::Direct => 1,
        Shape::Group => 2,
    }
}

pub fn shape(value: i8) -> Result<Shape> {
    match value {
        1 => Ok(Shape::Direct),
        2 => Ok(Shape::Group),
        other => Err(StoreError::Corrupt(format!("{other} is no shape of a conversation"))),
    }
}

/// `buckets.kind`.
pub mod holds {
    pub const MESSAGES: i8 = 1;
    pub const CHANGES: i8 = 2;
}

pub fn logged(at: i64, data: &[u8]) -> Result<LogEntry> {
    Ok(LogEntry { seq: seq(at), event: natter_schemas::codec::decode(data)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_timestamp_never_lies_in_the_future() {
        for seq in [0, 1, 1 << 40, 1 << 62, Seq::MAX] {
            for stamp in [newest(seq), first(seq), latest(Timestamp(int(seq)))] {
                assert!((0..1_300_000_000_000_000).contains(&stamp), "{seq}: {stamp}");
            }
        }
        assert!((0..1_300_000_000_000_000).contains(&resealed(u32::MAX)));
        assert!(newest(7) < newest(8) && first(7) > first(8));
        assert!(newest(Seq::MAX) < resealed(0) && resealed(1) < resealed(2));
    }

    #[test]
    fn a_bucket_begins_at_every_1_048_576th_seq() {
        assert_eq!([0, 1_048_575, 1_048_576, 2_097_152].map(bucket), [0, 0, 1, 2]);
    }
}
