//! What is stored and cannot be read: each is counted and logged, and stands in the way of nothing else.

use std::fmt::Display;

use natter_schemas::id::{ConversationId, Seq};
use tracing::warn;

use crate::{Result, StoreError};

/// An event; its message is shown as a placeholder.
pub fn report(conversation: ConversationId, seq: Seq, error: &StoreError) {
    metrics::counter!("natter_store_unreadable_events_total").increment(1);
    warn!(%conversation, seq, %error, "a stored event cannot be decoded; its message is shown without content");
}

/// Nothing instead of a row of a list that cannot be read.
pub fn readable_row<T>(list: &'static str, row: Result<T>) -> Result<Option<T>> {
    match row {
        Ok(row) => Ok(Some(row)),
        Err(error @ StoreError::Corrupt(_)) => {
            report_row(list, error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A row of a list; it is left out.
pub fn report_row(list: &'static str, error: impl Display) {
    metrics::counter!("natter_store_unreadable_rows_total", "list" => list).increment(1);
    warn!(list, %error, "a stored row cannot be read; left out of a list");
}
