//! A live event whose key is not here waits, and with it what follows it in its conversation, until the key is.

use std::time::Duration;

use natter_schemas::{event::LogEntry, id::UserId};
use natter_seal::DataKeys;
use tokio::time::timeout;

/// After this an event is sent without its text: clients read it again with the next page.
const PATIENCE: Duration = Duration::from_secs(2);

/// The event opened, or as it was if no key is to be had in time. Keys are asked for as one of these members: as the next one where
/// the one before was being removed, or has no token here.
pub async fn open(mut entry: LogEntry, keys: &DataKeys, members: &[UserId]) -> LogEntry {
    let opening = async {
        for member in members {
            keys.for_reader(*member).open_entries([&mut entry]).await;
            if entry.event.key_version() == 0 {
                break;
            }
        }
    };
    if timeout(PATIENCE, opening).await.is_err() {
        let conversation = entry.event.conversation;
        tracing::warn!(%conversation, seq = entry.seq, "no key in time: an event is sent without its text");
    }
    entry
}
