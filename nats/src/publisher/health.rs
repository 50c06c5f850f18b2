//! Whether the log takes what is published, as publishing itself meets it.
//!
//! A nats-server that could not write a stream's file stays silent to every later publish to that stream until it is
//! restarted. Silence alone proves nothing: a leader may have died, a disk may be slow. But a server of one copy works
//! a stream's messages off in their order, so it is asked something behind the silent publish that it can only refuse:
//! when that is answered, the publish was dropped.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, HeaderMap, Request, header::NATS_EXPECTED_LAST_SEQUENCE, jetstream::ErrorCode};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info};

use super::PublishError;
use crate::{subject, topology};

/// An ack that takes longer is looked into: with a healthy disk it takes milliseconds.
const SUSPECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(1);
/// From the answer to the question behind it until a publish counts as dropped.
const GRACE: Duration = Duration::from_millis(200);
/// While a stream takes nothing, one publish in this time is tried; the others are refused at once.
const TRIAL: Duration = Duration::from_secs(1);
/// What publishing met this long ago says nothing about now.
const FRESH: Duration = Duration::from_secs(30);

/// Of all streams of one publisher.
#[derive(Clone)]
pub struct LogHealth {
    client: Client,
    /// By the first words of their subjects: as many as there are streams.
    failing: Arc<Mutex<HashMap<String, Failing>>>,
    /// Whether `failing` has any: what a publish looks at.
    any: Arc<AtomicBool>,
    /// One question at a time, whoever suspects.
    asking: Arc<tokio::sync::Mutex<()>>,
}

struct Failing {
    /// The last publish that failed.
    at: Instant,
    /// Of the client at that time: a server that is connected anew may have been restarted.
    connects: u64,
    /// Proven to store nothing; else it was only silent.
    drops: bool,
}

impl LogHealth {
    /// `client` is the one that is published over.
    pub fn new(client: Client) -> Self {
        Self { client, failing: Arc::default(), any: Arc::default(), asking: Arc::default() }
    }

    /// Whether no stream has refused or ignored its last publish of the last half minute.
    pub fn is_up(&self) -> bool {
        !self.any.load(Ordering::Acquire) || {
            let failing = self.failing.lock();
            failing.values().all(|f| f.at.elapsed() > FRESH || self.is_past(f))
        }
    }

    /// Fails at once for a stream that is known to store nothing, except for one publish a second, which finds out.
    pub(super) fn admit(&self, subject: &str) -> Result<(), PublishError> {
        if !self.any.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut failing = self.failing.lock();
        match failing.get_mut(stream_key(subject)) {
            Some(f) if f.drops && !self.is_past(f) && f.at.elapsed() < TRIAL => Err(PublishError::NotWritten),
            Some(f) if f.drops => {
                f.at = Instant::now();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn stored(&self, subject: &str) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut failing = self.failing.lock();
        if failing.remove(stream_key(subject)).is_some_and(|f| f.drops) {
            info!(stream = stream_key(subject), "the log stores events again");
        }
        self.any.store(!failing.is_empty(), Ordering::Release);
    }

    /// A publish failed for a reason that lies with the log.
    pub(super) fn failed(&self, subject: &str, failure: &PublishError) {
        let reason = match failure {
            PublishError::TimedOut => "timeout",
            PublishError::Full => "full",
            PublishError::NotWritten => "disk",
            // The event's fault.
            PublishError::Moved | PublishError::Rejected(_) => return,
        };
        metrics::counter!("natter_publish_failed_total", "reason" => reason).increment(1);
        if *failure != PublishError::NotWritten {
            self.note(subject, false);
        }
    }

    /// Returns when the stream of `subject` has been proven to drop what was sent to it before this was called; else
    /// never.
    pub(super) async fn dropped(&self, subject: &str) {
        let (began, connects) = (Instant::now(), self.connects());
        sleep(SUSPECT).await;
        let asking = self.asking.lock().await;
        let proven = self.drops_since(subject, began)
            || (self.answers_behind(subject).await && {
                sleep(GRACE).await;
                // What was sent over an earlier connection may never have arrived.
                self.connects() == connects
            });
        if !proven {
            drop(asking);
            return std::future::pending().await;
        }
        self.note(subject, true);
    }

    fn note(&self, subject: &str, drops: bool) {
        let stream = stream_key(subject);
        let now = Failing { at: Instant::now(), connects: self.connects(), drops };
        let before = self.failing.lock().insert(stream.to_owned(), now);
        self.any.store(true, Ordering::Release);
        if drops && before.is_none_or(|f| !f.drops) {
            error!(
                stream,
                "the log stores nothing: the disk of its nats-server is full or failing; publishes are refused until \
                 there is room and that server has been restarted"
            );
        }
    }

    fn drops_since(&self, subject: &str, began: Instant) -> bool {
        self.failing.lock().get(stream_key(subject)).is_some_and(|f| f.drops && f.at > began)
    }

    fn is_past(&self, failing: &Failing) -> bool {
        failing.drops && failing.connects != self.connects()
    }

    fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Whether the stream's only copy answers a publish that it must refuse.
    async fn answers_behind(&self, subject: &str) -> bool {
        let Some(stream) = stream_name(subject) else { return false };
        let info = self.ask(format!("$JS.API.STREAM.INFO.{stream}"), Request::new()).await;
        // Several copies agree on an order first, and answer other questions meanwhile.
        if info.is_none_or(|info| info["config"]["num_replicas"].as_u64() != Some(1)) {
            return false;
        }
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, i64::MAX.to_string().as_str());
        let refused = self.ask(subject.to_owned(), Request::new().headers(headers)).await;
        let wrong = ErrorCode::STREAM_WRONG_LAST_SEQUENCE.0;
        refused.is_some_and(|answer| answer["error"]["err_code"].as_u64() == Some(wrong))
    }

    async fn ask(&self, subject: String, request: Request) -> Option<Value> {
        let request = request.timeout(None);
        let answer = timeout(ANSWER, self.client.send_request(subject, request)).await.ok()?.ok()?;
        serde_json::from_slice(&answer.payload).ok()
    }
}

/// What all subjects of a stream begin with.
fn stream_key(subject: &str) -> &str {
    let words = if subject.starts_with(subject::CONV) { 2 } else { 1 };
    let end = subject.match_indices('.').nth(words - 1).map_or(subject.len(), |(at, _)| at);
    &subject[..end]
}

fn stream_name(subject: &str) -> Option<String> {
    if subject.starts_with(subject::CONV) {
        return subject::parse_conversation(subject).map(|(partition, _)| topology::log_stream(partition));
    }
    let name = match stream_key(subject) {
        "reads" => topology::READS,
        "control" => topology::CONTROL,
        "parked" => topology::PARKED,
        _ => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_of_one_stream_have_one_key() {
        assert_eq!(stream_key("conv.3.0197aa"), "conv.3");
        assert_eq!(stream_key("reads.3.c.u"), "reads");
        assert_eq!(stream_key("control.user.u"), "control");
        assert_eq!(stream_name("parked.persist.0").as_deref(), Some("PARKED"));
        assert_eq!(stream_name("presence.u"), None);
    }
}
