//! Events of one subject that are stored together, right behind the event they were decided on, or not at all.
//! Whoever decides reads the log again before the next attempt; only a single event, which the server recognizes when
//! it comes again, is repeated here until there is an answer.

use async_nats::{
    HeaderMap, Request,
    client::PublishErrorKind,
    header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID},
    jetstream::response::Response,
};
use bytes::Bytes;
use natter_schemas::{decision::Proof, id::Seq, limits};
use serde::Deserialize;
use tokio::time::Instant;
use tracing::debug;

use super::{Attempt, PublishError, Publisher, Stored, ack_router::SingleEvent, read_answer};
use crate::{connect::carrier, header, message};

/// One of the events that are stored together.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id.
    pub id: String,
    /// Its bytes.
    pub payload: Bytes,
    /// That a worker decided it.
    pub proof: Option<Proof>,
}

/// The answer to a commit: the last event's seq and how many there are.
#[derive(Deserialize)]
struct Committed {
    seq: Seq,
    count: Seq,
}

impl Publisher {
    /// Stores the events, each under its id, if the last one on the subject has the seq `last` (0: there is none).
    /// Answers with the first; the seqs of the others follow it without a gap.
    ///
    /// # Errors
    /// [`PublishError::Moved`]: none is stored. [`PublishError::TimedOut`]: all or none are, and if they are, the
    /// first one follows `last` on the subject. Of several events after one attempt, of a single one after
    /// [`limits::PUBLISH`].
    pub async fn publish_after(
        &self,
        subject: &str,
        last: Seq,
        events: &[NewEvent],
    ) -> Result<Stored, PublishError> {
        let end = self.health.end(subject);
        let stored = match events {
            [NewEvent { id, payload, proof }] => {
                let (subject, id, payload) = (subject.to_owned(), id.clone(), payload.clone());
                let origin = header::kept_trace_context();
                let event = SingleEvent { subject, id, payload, after: Some(last), proof: *proof, origin };
                self.publish_single(event, (Instant::now(), None)).await
            }
            several => {
                let first = self.commit_after(subject, last, several).await;
                first.map(|seq| Stored { seq, duplicate: false, attempts: 1 })
            }
        };
        self.health.settle(subject, end, stored)
    }

    async fn commit_after(&self, subject: &str, last: Seq, events: &[NewEvent]) -> Result<Seq, PublishError> {
        let client = &self.client;
        self.health.admit(subject)?;
        let carrier = carrier::of_next(client);
        let inbox = client.new_inbox();
        let batch = inbox.rsplit('.').next().unwrap_or_default();
        let Some((commit, before)) = events.split_last() else {
            return Err(PublishError::Rejected("no events".to_owned()));
        };
        let mut number = 0;
        let mut headers = |event: &NewEvent| {
            number += 1;
            headers(subject, (batch, number), event, last)
        };
        for event in before {
            #[expect(clippy::disallowed_methods, reason = "its headers begin with those of every message")]
            let sent =
                client.publish_with_headers(subject.to_owned(), headers(event), event.payload.clone()).await;
            // Without its last event a batch is never stored.
            sent.map_err(|error| match error.kind() {
                PublishErrorKind::Send => PublishError::TimedOut,
                PublishErrorKind::InvalidSubject | PublishErrorKind::MaxPayloadExceeded => {
                    PublishError::Rejected(error.to_string())
                }
            })?;
        }
        let mut headers = headers(commit);
        headers.insert(header::BATCH_COMMIT, "1");
        let timeout = Some(limits::PUBLISH_ATTEMPT);
        let request = Request::new().headers(headers).payload(commit.payload.clone()).timeout(timeout);
        let answer = tokio::select! {
            biased;
            answer = client.send_request(subject.to_owned(), request) => {
                answer.map_err(|_| PublishError::TimedOut)?
            }
            () = self.health.refused(subject) => return Err(PublishError::NotWritten),
            () = carrier::replaced(client, carrier) => return Err(PublishError::TimedOut),
        };
        read_commit(&answer.payload, events.len() as Seq)
    }
}

fn read_commit(payload: &[u8], count: Seq) -> Result<Seq, PublishError> {
    match serde_json::from_slice::<Response<Committed>>(payload) {
        Ok(Response::Ok(committed)) if committed.count == count => Ok(committed.seq + 1 - count),
        _ => match read_answer(payload) {
            Attempt::Failed(error) => Err(error),
            Attempt::Unknown(reason) => {
                debug!(
                    events = count,
                    reason, "conditional batch not acknowledged; its author reads the log again"
                );
                Err(PublishError::TimedOut)
            }
            Attempt::Stored { .. } => Err(PublishError::TimedOut),
        },
    }
}

fn headers(subject: &str, (batch, number): (&str, usize), event: &NewEvent, last: Seq) -> HeaderMap {
    let mut headers = message::headers(subject);
    headers.insert(NATS_MESSAGE_ID, event.id.as_str());
    headers.insert(header::BATCH_ID, batch);
    headers.insert(header::BATCH_SEQUENCE, number.to_string());
    if number == 1 {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, last.to_string());
    }
    header::set_proof(&mut headers, event.proof);
    header::set_trace_context(&mut headers, header::kept_trace_context());
    headers
}
