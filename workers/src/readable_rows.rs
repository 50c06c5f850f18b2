//! What a store has of a conversation, also around what it cannot read.

use natter_schemas::{
    event::LogEntry,
    id::{ConversationId, Seq},
};
use natter_store::{Result, Store, StoreError};

/// Rows in one answer.
const PAGE: usize = 1_000;
/// Places it cannot read in one range: with more the store is broken as a whole, and the call fails.
const UNREADABLE: usize = 64;

/// What the store has of a conversation in a range.
#[derive(Debug, Default)]
pub struct Rows {
    /// Ascending.
    pub events: Vec<LogEntry>,
    /// Seqs of rows it cannot read, ascending.
    pub unreadable: Vec<Seq>,
}

/// The first `most` events from `from` to `to`, both included. What cannot be read is closed in on by halves: the rows
/// around it still count.
pub async fn read(store: &dyn Store, c: ConversationId, (from, to): (Seq, Seq), most: usize) -> Result<Rows> {
    let mut rows = Rows::default();
    let mut ranges = vec![(from, to)];
    while let Some((from, to)) = ranges.pop() {
        let wanted = (most - rows.events.len()).min(PAGE);
        if from > to || wanted == 0 {
            continue;
        }
        match store.events_from(c, from, to, wanted).await {
            Ok(events) => {
                if events.len() >= wanted
                    && let Some(last) = events.last()
                {
                    ranges.push((last.seq + 1, to));
                }
                rows.events.extend(events);
            }
            Err(StoreError::Corrupt(_)) if rows.unreadable.len() < UNREADABLE => {
                if from == to {
                    rows.unreadable.push(from);
                } else {
                    let middle = from + (to - from) / 2;
                    ranges.push((middle + 1, to));
                    ranges.push((from, middle));
                }
            }
            Err(e) => return Err(e),
        }
    }
    Ok(rows)
}
