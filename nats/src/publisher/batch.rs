//! Events that waited, in one commit (JetStream atomic batch, ADR-50): the server stores all of them or none.
//! Whatever goes wrong, each event then goes alone under its own id, so nothing is stored twice.

use async_nats::{Client, HeaderMap, Request, header::NATS_MESSAGE_ID, jetstream::response::Response};
use natter_schemas::{id::Seq, limits};
use serde::Deserialize;
use tracing::debug;

use super::group::{Place, Turn, Waiting};

const BATCH_ID: &str = "Nats-Batch-Id";
const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
const BATCH_COMMIT: &str = "Nats-Batch-Commit";

/// The answer to a commit: the last event's seq and how many there are.
#[derive(Deserialize)]
struct Committed {
    seq: Seq,
    count: Seq,
}

/// Publishes the events and tells each its turn; the place is given on afterwards.
pub async fn commit(client: Client, events: Vec<Waiting>, place: Place) {
    let count = events.len();
    match send(&client, &events).await {
        Ok(last) => {
            metrics::histogram!("natter_publish_batch_events")
                .record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
            let first = last + 1 - count as Seq;
            for (seq, event) in (first..).zip(events) {
                // Whoever is gone does not need to know.
                drop(event.turn.send(Turn::Stored(seq)));
            }
        }
        // One id that is stored already is enough to refuse all of them.
        Err(reason) => {
            debug!(events = count, reason, "a batch was refused: its events go alone");
            metrics::counter!("natter_publish_batches_refused_total").increment(1);
            for event in events {
                drop(event.turn.send(Turn::Go(Some(place.beside()))));
            }
        }
    }
    drop(place);
}

async fn send(client: &Client, events: &[Waiting]) -> Result<Seq, String> {
    let batch = client.new_inbox();
    let batch = batch.rsplit('.').next().unwrap_or_default();
    let Some((last, before)) = events.split_last() else { return Err("no events".to_owned()) };
    for (event, number) in before.iter().zip(1_usize..) {
        let headers = headers(batch, number, event);
        client
            .publish_with_headers(event.subject.clone(), headers, event.payload.clone())
            .await
            .map_err(|error| error.to_string())?;
    }
    let mut headers = headers(batch, events.len(), last);
    headers.insert(BATCH_COMMIT, "1");
    let request =
        Request::new().headers(headers).payload(last.payload.clone()).timeout(Some(limits::PUBLISH_ATTEMPT));
    let answer = client.send_request(last.subject.clone(), request).await.map_err(|e| e.to_string())?;
    match serde_json::from_slice::<Response<Committed>>(&answer.payload) {
        Ok(Response::Ok(committed)) if committed.count == events.len() as Seq => Ok(committed.seq),
        Ok(Response::Ok(committed)) => {
            Err(format!("{} of {} events committed", committed.count, events.len()))
        }
        Ok(Response::Err { error }) => Err(error.to_string()),
        Err(error) => Err(format!("an answer that is not one: {error}")),
    }
}

fn headers(batch: &str, number: usize, event: &Waiting) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, event.id.as_str());
    headers.insert(BATCH_ID, batch);
    headers.insert(BATCH_SEQUENCE, number.to_string());
    headers
}
