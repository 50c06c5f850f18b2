//! What a log's leader knows. Any copy answers Direct Get, and a follower may lag by some milliseconds behind
//! an ack: where there are several copies, the leader says first how far an answer must reach.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{Context, ErrorCode, response::Response, stream};
use natter_schemas::id::{Partition, Seq};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use super::{LogError, passing};
use crate::topology::log_stream;

/// A follower that is further behind is not read from.
const LAG: Duration = Duration::from_secs(2);
const LAG_POLL: Duration = Duration::from_millis(5);

/// The newest message of a subject.
#[derive(Debug, Clone, Deserialize)]
pub struct Last {
    pub seq: Seq,
    pub subject: String,
}

#[derive(Deserialize)]
struct Stored {
    message: Last,
}

#[derive(Clone, Default)]
pub struct Leader {
    copies: Arc<OnceCell<usize>>,
}

impl Leader {
    /// Whether an answer may come from a follower. Asked once: a log gets more copies only by `apply`, after
    /// which processes are restarted.
    pub async fn has_followers(&self, js: &Context) -> Result<bool, LogError> {
        let ask = || async {
            let question = format!("STREAM.INFO.{}", log_stream(Partition(0)));
            super::info::<stream::Info>(js, question, &json!({})).await.map(|info| info.config.num_replicas)
        };
        Ok(*self.copies.get_or_try_init(ask).await? > 1)
    }
}

/// `subject` may have wildcards.
pub async fn last(js: &Context, stream: &str, subject: &str) -> Result<Option<Last>, LogError> {
    let question = format!("STREAM.MSG.GET.{stream}");
    passing::outlast(|| async {
        match js.request(question.clone(), &json!({ "last_by_subj": subject })).await {
            Ok(Response::Ok(Stored { message })) => Ok(Some(message)),
            Ok(Response::Err { error }) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
            Ok(Response::Err { error }) => Err(LogError::from_answer(&error)),
            Err(error) => Err(LogError::Unavailable(error.to_string())),
        }
    })
    .await
}

/// The wait for a follower, bounded.
pub struct FollowerWait(Instant);

impl FollowerWait {
    pub fn new() -> Self {
        Self(Instant::now() + LAG)
    }

    pub async fn pause(&self) -> Result<(), LogError> {
        if Instant::now() >= self.0 {
            return Err(LogError::Unavailable("a copy of the log lags behind".to_owned()));
        }
        metrics::counter!("natter_log_lagging_reads_total").increment(1);
        sleep(LAG_POLL).await;
        Ok(())
    }
}
