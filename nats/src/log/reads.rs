//! Read marks as edges were sent them: those that an edge missed, and those of a user, to be erased. For the latter the server
//! goes over all marks.

use async_nats::jetstream::stream::{Info, PurgeResponse};
use natter_schemas::{
    id::{Seq, UserId},
    rpc::{ReadMark, ReadMarkPage},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    BATCH_BYTES, LogError, LogReader,
    direct::{self, Query},
    info,
    leader::{self, FollowerWait},
};
use crate::{
    message::Reader,
    subject::{READS_ALL, reads_of},
    topology::READS,
};

#[derive(Deserialize)]
struct Subjects {
    /// Absent when there are none.
    #[serde(default)]
    total: u64,
}

impl LogReader {
    /// Last seq of the stream.
    pub async fn read_mark_head(&self) -> Result<Seq, LogError> {
        let stream: Info = info(&self.js, format!("STREAM.INFO.{READS}"), &json!({})).await?;
        Ok(stream.state.last_sequence)
    }

    /// The last mark of each user in each conversation, if it is above a seq; at most `limit`. Marks of versions that are too
    /// far from this one are left out.
    pub async fn read_marks_after(&self, after: Seq, limit: usize) -> Result<ReadMarkPage, LogError> {
        // In this order: what was purged in between is not waited for.
        let head = self.read_mark_head().await?;
        let mut newest = self.newest_read_mark().await?;
        let (mut found, mut next) = (Vec::new(), after + 1);
        let wait = FollowerWait::new();
        while found.len() < limit && next <= newest {
            let query = Query {
                seq: Some(next),
                next_by_subj: Some(READS_ALL),
                batch: Some(limit - found.len()),
                max_bytes: Some(BATCH_BYTES),
                ..Query::default()
            };
            let part = direct::get(&self.js, READS, &query).await?.messages;
            if let Some(last) = part.last() {
                next = last.seq + 1;
                found.extend(part);
            } else {
                // This copy ends before the leader does, or what was the newest is gone.
                wait.pause().await?;
                newest = self.newest_read_mark().await?;
            }
        }
        let more = next <= newest;
        let reader = Reader::new("read mark");
        let read =
            |found: direct::DirectMessage| reader.read_parts(Some(&found.headers), &found.payload).ok();
        let marks: Vec<ReadMark> = found.into_iter().filter_map(read).collect();
        Ok(ReadMarkPage { marks, up_to: if more { next - 1 } else { head.max(next - 1) }, more })
    }

    /// 0: there is none.
    async fn newest_read_mark(&self) -> Result<Seq, LogError> {
        Ok(leader::last(&self.js, READS, READS_ALL).await?.map_or(0, |last| last.seq))
    }

    /// How many there are.
    pub async fn read_marks(&self, user: UserId) -> Result<u64, LogError> {
        // From an offset behind all of them, so that they are counted and not listed.
        let question = json!({"subjects_filter": reads_of(user), "offset": i64::MAX});
        let subjects: Subjects = info(&self.js, format!("STREAM.INFO.{READS}"), &question).await?;
        Ok(subjects.total)
    }

    /// Removes all of them.
    pub async fn erase_read_marks(&self, user: UserId) -> Result<(), LogError> {
        let question = json!({"filter": reads_of(user)});
        let _: PurgeResponse = info(&self.js, format!("STREAM.PURGE.{READS}"), &question).await?;
        Ok(())
    }
}
