//! Whether the log takes what is published, as publishing itself meets it.
//!
//! A nats-server that could not write a stream's file stays silent to every later publish to that stream until it is
//! restarted. Silence alone proves nothing: a leader may have died, a disk may be slow. But a server of one copy works
//! a stream's messages off in their order, so it is asked something behind the silent publish that it can only refuse:
//! when that is answered, the publish was dropped.
//!
//! In a cluster a server that cannot write takes no part in any stream. As long as most servers can, the others go on
//! without it; when they cannot, the stream takes nothing until some of them have been restarted ([`majority`]).

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::{Client, HeaderMap, Request, header::NATS_EXPECTED_LAST_SEQUENCE, jetstream::ErrorCode};
use natter_schemas::id::{Partition, Seq};
use parking_lot::{Mutex, RwLock};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tracing::error;

use super::{
    PublishError, Stored,
    ask::{ask, stream_info},
    ends::LogEnds,
    failing::{Failing, FailingStreams, Failure},
    majority,
    servers::Servers,
};
use crate::{subject, topology};

/// An ack that takes longer is looked into: with a healthy disk it takes milliseconds.
const SUSPECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(1);
/// From the answer to the question behind it until a publish counts as dropped.
const GRACE: Duration = Duration::from_millis(200);
/// While a stream takes nothing, one publish in this time is tried; the others are refused at once.
const TRIAL: Duration = Duration::from_secs(1);
/// A stream without a majority that has not stored a publish within this time has none yet.
const TRIAL_ANSWER: Duration = Duration::from_millis(1800);
/// An ack of a stream with several copies: a majority that was lost may show in a second look only, after whichever
/// copy was full last has led it for a moment.
const LOOK_AFTER: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// What publishing met this long ago says nothing about now.
const FRESH: Duration = Duration::from_secs(30);

/// Of all streams of one publisher.
#[derive(Clone)]
pub struct LogHealth {
    client: Client,
    failing: Arc<FailingStreams>,
    ends: LogEnds,
    /// Streams that have stored something for this publisher.
    storing: Arc<RwLock<HashSet<String>>>,
    /// By stream: one question at a time, whoever suspects.
    asking: Arc<Mutex<HashMap<String, Turn>>>,
    servers: Servers,
    /// One for each stream without a majority; they end with the last clone.
    watches: Arc<Mutex<JoinSet<()>>>,
}

type Turn = Arc<tokio::sync::Mutex<()>>;

impl LogHealth {
    /// `client` is the one that is published over.
    pub fn new(client: Client) -> Self {
        let servers = Servers::start(client.clone());
        let (failing, storing, asking) = (Arc::default(), Arc::default(), Arc::default());
        let (ends, watches) = (LogEnds::default(), Arc::default());
        Self { client, failing, ends, storing, asking, servers, watches }
    }

    /// Whether no stream has refused or ignored its last publish of the last half minute.
    pub fn is_up(&self) -> bool {
        !self.failing.any() || {
            let failing = self.failing.all.lock();
            failing.values().all(|f| match f.how {
                Failure::NoMajority | Failure::RolledBack => false,
                Failure::Silent | Failure::Drops { .. } => f.at.elapsed() > FRESH || self.is_past(f),
            })
        }
    }

    /// Fails at once for a stream that is known to store nothing, except for one publish a second, which finds out.
    pub(super) fn admit(&self, subject: &str) -> Result<(), PublishError> {
        if !self.failing.any() {
            return Ok(());
        }
        let mut failing = self.failing.all.lock();
        match failing.get_mut(stream_key(subject)) {
            Some(f) if f.how == Failure::RolledBack => Err(PublishError::RolledBack),
            Some(f) if f.is_proven() && !self.is_past(f) && f.at.elapsed() < TRIAL => {
                Err(PublishError::NotWritten)
            }
            Some(f) if f.is_proven() => {
                f.at = Instant::now();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The log of `partition` has an event of this seq: it was read from there.
    pub fn reaches(&self, partition: Partition, seq: Seq) {
        self.ends.reach(partition, seq);
    }

    /// How far the stream of `subject` is known to reach, before an event is sent there.
    pub(super) fn end(&self, subject: &str) -> Seq {
        self.ends.of(subject)
    }

    /// What came of an event that was sent when its stream reached `end`.
    pub(super) fn settle(
        &self,
        subject: &str,
        end: Seq,
        result: Result<Stored, PublishError>,
    ) -> Result<Stored, PublishError> {
        let result = match result {
            Ok(Stored { seq, duplicate: false, .. }) if seq <= end => {
                self.note(subject, Failure::RolledBack);
                Err(PublishError::RolledBack)
            }
            result => result,
        };
        match &result {
            Ok(stored) => {
                if let Some(partition) = subject::parse_log_partition(subject) {
                    self.ends.reach(partition, stored.seq);
                }
                self.stored(subject);
            }
            Err(error) => self.failed(subject, error),
        }
        result
    }

    fn stored(&self, subject: &str) {
        let stream = stream_key(subject);
        if !self.storing.read().contains(stream) {
            self.storing.write().insert(stream.to_owned());
        }
        if self.failing.any() {
            self.failing.forget(stream);
        }
    }

    /// A publish failed for a reason that lies with the log.
    fn failed(&self, subject: &str, failure: &PublishError) {
        let reason = match failure {
            PublishError::TimedOut => "timeout",
            PublishError::Full => "full",
            PublishError::NotWritten => "disk",
            PublishError::RolledBack => "rolled_back",
            // The log answered: it works. Or the event's fault.
            PublishError::Moved | PublishError::Rejected(_) => return,
        };
        metrics::counter!("natter_publish_failed_total", "reason" => reason).increment(1);
        match failure {
            PublishError::NotWritten | PublishError::RolledBack => {}
            // Nothing was stored since: that has not changed.
            PublishError::TimedOut if self.is_without_majority(subject) => {}
            _ => self.note(subject, Failure::Silent),
        }
    }

    /// Returns when the stream of `subject` has been proven to store nothing of what was sent to it before this was
    /// called; else never.
    pub(super) async fn refused(&self, subject: &str) {
        tokio::select! {
            () = self.dropped(subject) => {}
            () = self.stalled(subject) => {}
        }
    }

    /// Returns when the stream of `subject` has lost its majority to disks, and a publish that began now has waited for
    /// it in vain; else never.
    pub(super) async fn stalled(&self, subject: &str) {
        let began = Instant::now();
        sleep(LOOK_AFTER).await;
        loop {
            // Boxed: hardly a publish comes here, and all would have to carry it.
            if Box::pin(self.has_lost_majority(subject)).await {
                sleep_until(began + TRIAL_ANSWER).await;
                if self.is_without_majority(subject) {
                    return;
                }
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn has_lost_majority(&self, subject: &str) -> bool {
        let Some(stream) = stream_name(subject) else { return false };
        let turn = self.turn(subject);
        let _asking = turn.lock().await;
        if self.is_without_majority(subject) {
            return true;
        }
        let has_stored = self.storing.read().contains(stream_key(subject));
        let lost = majority::is_lost(&self.client, &self.servers, &stream, has_stored).await;
        if lost {
            self.note(subject, Failure::NoMajority);
            self.watch(subject, stream);
        }
        lost
    }

    /// Returns when the only copy of the stream of `subject` has been proven to drop what was sent to it before this
    /// was called; else never.
    pub(super) async fn dropped(&self, subject: &str) {
        let (began, connects) = (Instant::now(), self.connects());
        sleep(SUSPECT).await;
        let turn = self.turn(subject);
        let asking = turn.lock().await;
        let proven = self.proven_since(subject, began)
            || (self.answers_behind(subject).await && {
                sleep(GRACE).await;
                // What was sent over an earlier connection may never have arrived.
                self.connects() == connects
            });
        if !proven {
            drop(asking);
            return std::future::pending().await;
        }
        self.note(subject, Failure::Drops { connects });
    }

    fn note(&self, subject: &str, how: Failure) {
        let stream = stream_key(subject);
        let now = Failing { at: Instant::now(), how };
        let before = self.failing.insert(stream, now);
        if before
            .is_some_and(|before| before == how || before != Failure::Silent && how != Failure::RolledBack)
        {
            return;
        }
        match how {
            Failure::Silent => {}
            Failure::RolledBack => error!(
                stream,
                "the log was rolled back: it gave out a seq that it had given out before; publishes are refused until the \
                 log has been restored or made again, and this process restarted"
            ),
            Failure::Drops { .. } => error!(
                stream,
                "the log stores nothing: the disk of its nats-server is full or failing; publishes are refused until \
                 there is room and that server has been restarted"
            ),
            Failure::NoMajority => error!(
                stream,
                "the log stores nothing: the disks of most of its nats-servers are full or failing; publishes are \
                 refused until there is room and those servers have been restarted"
            ),
        }
    }

    /// Until the stream has a majority again, also while nothing is published: readiness depends on it.
    fn watch(&self, subject: &str, stream: String) {
        let (client, failing, key) =
            (self.client.clone(), Arc::clone(&self.failing), stream_key(subject).to_owned());
        let mut watches = self.watches.lock();
        while watches.try_join_next().is_some() {}
        watches.spawn(async move {
            while failing.has(&key, Failure::NoMajority) {
                sleep(TRIAL).await;
                if majority::is_there(&client, &stream).await && failing.has(&key, Failure::NoMajority) {
                    failing.forget(&key);
                }
            }
        });
    }

    fn turn(&self, subject: &str) -> Turn {
        Arc::clone(self.asking.lock().entry(stream_key(subject).to_owned()).or_default())
    }

    fn proven_since(&self, subject: &str, began: Instant) -> bool {
        let failing = self.failing.all.lock();
        failing.get(stream_key(subject)).is_some_and(|f| f.is_proven() && f.at > began)
    }

    fn is_without_majority(&self, subject: &str) -> bool {
        self.failing.has(stream_key(subject), Failure::NoMajority)
    }

    fn is_past(&self, failing: &Failing) -> bool {
        matches!(failing.how, Failure::Drops { connects } if connects != self.connects())
    }

    fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Whether the stream's only copy answers a publish that it must refuse.
    async fn answers_behind(&self, subject: &str) -> bool {
        let Some(stream) = stream_name(subject) else { return false };
        let info = stream_info(&self.client, &stream, ANSWER).await;
        // Several copies agree on an order first, and answer other questions meanwhile.
        if info.is_none_or(|info| info["config"]["num_replicas"].as_u64() != Some(1)) {
            return false;
        }
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, i64::MAX.to_string().as_str());
        let request = Request::new().headers(headers);
        let refused = ask(&self.client, subject.to_owned(), request, ANSWER).await;
        let wrong = ErrorCode::STREAM_WRONG_LAST_SEQUENCE.0;
        refused.is_some_and(|answer| answer["error"]["err_code"].as_u64() == Some(wrong))
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
