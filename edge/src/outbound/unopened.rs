//! A live event whose key is not here waits, and with it what follows it in its conversation, until the key is.

use std::time::Duration;

use natter_schemas::event::LogEntry;
use natter_seal::DataKeys;
use tokio::time::timeout;

/// After this an event is sent without its text: clients read it again with the next page.
const PATIENCE: Duration = Duration::from_secs(2);

/// The event opened, or as it was if no key is to be had in time.
pub async fn open(mut entry: LogEntry, keys: &DataKeys) -> LogEntry {
    if timeout(PATIENCE, keys.open_entries([&mut entry])).await.is_err() {
        let conversation = entry.event.conversation;
        tracing::warn!(%conversation, seq = entry.seq, "no key in time: an event is sent without its text");
    }
    entry
}
