//! What a live edit shows of a message that is deleted: nothing. The log refuses such edits; one that a node of an earlier
//! version decided at the same time may still be there.

use std::collections::VecDeque;

use natter_schemas::{
    event::{Kind, LogEntry, Timestamp},
    id::Seq,
};

use crate::wire::{encode, frame::Frame};

/// An edit that was decided before the deletion comes within the seconds that a publish may take: of a conversation
/// with a dozen deletions a second, five seconds' worth.
const REMEMBERED: usize = 64;

/// Of one conversation, its messages that were deleted last.
#[derive(Default)]
pub struct Deletions(VecDeque<Seq>);

impl Deletions {
    /// The frame of the next event. An edit behind the deletion becomes the deletion once more, which changes nothing
    /// for clients and keeps the chain. `deleted_at`: see [`encode::event`].
    pub fn encode(&mut self, entry: &LogEntry, prev: Seq, deleted_at: Option<Timestamp>) -> Frame {
        match entry.event.kind {
            Kind::Deleted { target } => {
                if self.0.len() == REMEMBERED {
                    self.0.pop_front();
                }
                self.0.push_back(target);
            }
            Kind::Edited { target, .. } if self.0.contains(&target) => {
                metrics::counter!("natter_edits_of_deleted_total").increment(1);
                let mut entry = entry.clone();
                entry.event.kind = Kind::Deleted { target };
                return encode::event(&entry, prev, None);
            }
            _ => {}
        }
        encode::event(entry, prev, deleted_at)
    }
}
