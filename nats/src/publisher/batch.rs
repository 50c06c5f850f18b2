//! Queued events in one commit (JetStream atomic batch, ADR-50): the server stores all of them or none.
//! Whatever goes wrong, each event is then published by itself under its own id, so nothing is stored twice.

use async_nats::{Client, HeaderMap, Request, header::NATS_MESSAGE_ID, jetstream::response::Response};
use natter_schemas::{id::Seq, limits};
use serde::Deserialize;
use tracing::debug;

use super::{
    commit_group::{Admission, Permit, QueuedEvent},
    health::LogHealth,
};
use crate::{connect::carrier, header, message};

/// The answer to a commit: the last event's seq and how many there are.
#[derive(Deserialize)]
struct Committed {
    seq: Seq,
    count: Seq,
}

/// Publishes the events and reports to each what became of it; the permit is released afterwards.
pub async fn commit((client, health): (Client, LogHealth), events: Vec<QueuedEvent>, permit: Permit) {
    let count = events.len();
    match send(&client, &health, &events).await {
        Ok(last) => {
            metrics::histogram!("natter_publish_batch_events")
                .record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
            let first = last + 1 - count as Seq;
            for (seq, event) in (first..).zip(events) {
                // A caller that has gone needs no answer.
                drop(event.admission.send(Admission::Stored(seq)));
            }
        }
        // One id that is stored already is enough to refuse all of them.
        Err(reason) => {
            debug!(events = count, reason, "batch refused; its events are published one by one");
            metrics::counter!("natter_publish_batches_refused_total").increment(1);
            for event in events {
                drop(event.admission.send(Admission::Single(Some(permit.for_single()))));
            }
        }
    }
    drop(permit);
}

async fn send(client: &Client, health: &LogHealth, events: &[QueuedEvent]) -> Result<Seq, String> {
    let carrier = carrier::of_next(client);
    let batch = client.new_inbox();
    let batch = batch.rsplit('.').next().unwrap_or_default();
    let Some((last, before)) = events.split_last() else { return Err("no events".to_owned()) };
    health.admit(&last.subject).map_err(|error| error.to_string())?;
    for (event, number) in before.iter().zip(1_usize..) {
        let headers = headers(batch, number, event);
        #[expect(clippy::disallowed_methods, reason = "its headers begin with those of every message")]
        client
            .publish_with_headers(event.subject.clone(), headers, event.payload.clone())
            .await
            .map_err(|error| error.to_string())?;
    }
    let mut headers = headers(batch, events.len(), last);
    headers.insert(header::BATCH_COMMIT, "1");
    let request =
        Request::new().headers(headers).payload(last.payload.clone()).timeout(Some(limits::PUBLISH_ATTEMPT));
    let answer = tokio::select! {
        biased;
        answer = client.send_request(last.subject.clone(), request) => answer.map_err(|e| e.to_string())?,
        () = health.refused(&last.subject) => return Err("the log dropped it".to_owned()),
        () = carrier::replaced(client, carrier) => return Err("the connection broke".to_owned()),
    };
    match serde_json::from_slice::<Response<Committed>>(&answer.payload) {
        Ok(Response::Ok(committed)) if committed.count == events.len() as Seq => Ok(committed.seq),
        Ok(Response::Ok(committed)) => {
            Err(format!("{} of {} events committed", committed.count, events.len()))
        }
        Ok(Response::Err { error }) => Err(error.to_string()),
        Err(error) => Err(format!("an answer that cannot be read: {error}")),
    }
}

fn headers(batch: &str, number: usize, event: &QueuedEvent) -> HeaderMap {
    let mut headers = message::headers(&event.subject);
    headers.insert(NATS_MESSAGE_ID, event.id.as_str());
    headers.insert(header::BATCH_ID, batch);
    headers.insert(header::BATCH_SEQUENCE, number.to_string());
    header::set_trace_context(&mut headers, event.origin);
    headers
}
