//! Texts sealed otherwise take the place of those that are stored. What was there is overwritten in the file.

use natter_schemas::{
    codec,
    event::{Event, LogEntry},
    id::{ConversationId, Seq},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::int;
use crate::Result;

pub struct ResealedRow {
    seq: Seq,
    event: Event,
    data: Vec<u8>,
}

pub fn rows(events: &[LogEntry]) -> Vec<ResealedRow> {
    let row = |LogEntry { seq, event }: &LogEntry| ResealedRow {
        seq: *seq,
        data: codec::encode(event),
        event: event.clone(),
    };
    events.iter().map(row).collect()
}

pub fn apply(db: &Connection, conversation: ConversationId, rows: &[ResealedRow]) -> Result<()> {
    rows.iter().try_for_each(|row| replace(db, conversation, row))
}

fn replace(db: &Connection, conversation: ConversationId, row: &ResealedRow) -> Result<()> {
    let stored = db
        .prepare_cached(
            "SELECT place, data FROM events WHERE place =
                 (SELECT place FROM messages WHERE conversation = ?1 AND seq = ?2
                  UNION ALL
                  SELECT place FROM changes WHERE conversation = ?1 AND seq = ?2)",
        )?
        .query_row(params![conversation.as_bytes(), int(row.seq)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    let Some((place, data)) = stored else { return Ok(()) };
    if is_older(&data, &row.event) {
        db.prepare_cached("UPDATE events SET data = ?2 WHERE place = ?1")?
            .execute(params![place, row.data])?;
    }
    Ok(())
}

/// Whether the stored event is this one with a text that is in clear or sealed with an earlier key.
fn is_older(data: &[u8], event: &Event) -> bool {
    let Ok(stored) = codec::decode(data) else { return false };
    stored.id == event.id && stored.key_version() < event.key_version()
}

#[cfg(test)]
mod tests {
    use natter_schemas::event::Body;

    use crate::{
        EventStore, Store,
        conformance::fixtures::{SampleLog, posted},
        sqlite::SqliteStore,
    };

    /// In no other word of the file.
    const MARK: &str = "schwarzspecht";

    #[tokio::test]
    async fn what_was_replaced_is_on_no_page_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("a.db")).unwrap();
        let mut sample = SampleLog::of(&[]);
        for n in 0..2_000_usize {
            // Of all lengths: some share a page with many, some have pages of their own.
            let length = if n % 3 == 0 { n * 37 % 8_000 } else { 20 };
            let text = format!("{MARK} {n} {}", "x".repeat(length));
            sample.add(sample.owner, posted(&text));
        }
        for some in sample.log.chunks(100) {
            store.persist(sample.partition, some).await.unwrap();
        }
        assert!(places(folder.path()) > 0, "what is looked for would be found");
        for some in sample.log[1..].chunks(50) {
            let mut some = some.to_vec();
            for entry in &mut some {
                let ciphertext = vec![0; entry.event.body().unwrap().size() + 81];
                *entry.event.body_mut().unwrap() =
                    Body::Sealed { key_version: 1, nonce: [0; 12], ciphertext };
            }
            store.reseal(sample.id, &some).await.unwrap();
        }
        store.forget_replaced(true).await.unwrap();
        assert_eq!(places(folder.path()), 0);
        store.close().await;
    }

    fn places(folder: &std::path::Path) -> usize {
        let files =
            std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.map(|bytes| bytes.windows(MARK.len()).filter(|some| *some == MARK.as_bytes()).count()).sum()
    }
}
