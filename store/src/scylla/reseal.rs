//! Texts sealed otherwise take the place of those that are stored: their write timestamps follow from the key and are above
//! those of everything from the log.
//!
//! A message has a copy of its newest edit, a register of the edits' seqs: nothing fits between an edit and the next one.
//! So the copy goes, with the edit's own timestamp, and readers find the text in the edit's row.

use natter_schemas::{
    codec,
    event::{Event, Kind, LogEntry},
    id::Seq,
};

use super::{
    cluster::Cluster,
    columns::{bucket, int, newest, raw, resealed},
    concurrent::each,
};
use crate::Result;

pub async fn reseal(db: &Cluster, events: &[LogEntry]) -> Result<()> {
    each(events.to_vec(), |entry| async move { replace(db, entry).await }).await.map(drop)
}

async fn replace(db: &Cluster, LogEntry { seq, event }: LogEntry) -> Result<()> {
    let s = &db.statements;
    let (data, stamp) = (codec::encode(&event), resealed(event.key_version()));
    match event.kind {
        Kind::Posted { .. } => {
            let (conversation, bucket, seq) = place(&event, seq);
            db.write(&s.reseal_post, (stamp, data, conversation, bucket, seq)).await
        }
        Kind::Edited { target, .. } => {
            let (conversation, bucket, at) = place(&event, seq);
            db.write(&s.reseal_change, (stamp, data, conversation, bucket, at)).await?;
            // Only then: readers must find it somewhere.
            let (conversation, bucket, target) = place(&event, target);
            db.write(&s.drop_edit, (newest(seq), conversation, bucket, target)).await
        }
        _ => Ok(()),
    }
}

fn place(event: &Event, seq: Seq) -> (uuid::Uuid, i64, i64) {
    (raw(event.conversation.as_bytes()), bucket(seq), int(seq))
}
