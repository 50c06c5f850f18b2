//! The last read marks of a user, as edges were sent them: for an erasure. The server goes over all marks for it.

use async_nats::jetstream::stream::PurgeResponse;
use natter_schemas::id::UserId;
use serde::Deserialize;
use serde_json::json;

use super::{LogError, LogReader, info};
use crate::{subject::reads_of, topology::READS};

#[derive(Deserialize)]
struct Subjects {
    /// Absent when there are none.
    #[serde(default)]
    total: u64,
}

impl LogReader {
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
