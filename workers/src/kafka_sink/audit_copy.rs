//! Audit records on their way into Kafka: copies, in the order of their chain. The audit log is what counts; a record that
//! is not copied shows as a number that is missing.

use std::time::Duration;

use natter_runtime::audit::Line;
use natter_schemas::{audit, backoff::Backoff};
use rdkafka::{
    config::FromClientConfigAndContext,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};
use tokio::{sync::mpsc, time::sleep};
use tracing::{error, info, warn};

use super::{
    options::{LastClientError, Options, discard},
    topic::{self, TopicError},
};

const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Ends when no record comes any more. What comes while Kafka is away waits, as far as there is room.
pub async fn copy_audit(kafka: natter_runtime::config::Kafka, mut lines: mpsc::Receiver<Line>) {
    let options = Options { kafka, topic: audit::TOPIC.to_owned() };
    let Some(copier) = Copier::start(&options).await else {
        // Whoever writes counts what is not copied.
        return;
    };
    while let Some(line) = lines.recv().await {
        copier.copy(&line).await;
    }
    discard(copier.producer);
}

struct Copier {
    producer: FutureProducer<LastClientError>,
    last_error: LastClientError,
}

impl Copier {
    /// None if the topic can never be used: logged.
    async fn start(options: &Options) -> Option<Self> {
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        loop {
            // One partition: the order of a deployment's records.
            match topic::ensure(options, 1).await {
                Ok(()) => break,
                Err(TopicError::Unavailable(reason)) => {
                    if backoff.failures() == 0 {
                        warn!(reason, "Kafka is away: audit records are copied when it is back");
                    }
                    sleep(backoff.next_delay()).await;
                }
                Err(misfit) => {
                    error!(error = %misfit, "audit records are not copied to Kafka");
                    return None;
                }
            }
        }
        let last_error = LastClientError::default();
        let mut config = options.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // A record waits for as long as Kafka is away.
            .set("message.timeout.ms", "0")
            .set("linger.ms", "0");
        match FutureProducer::from_config_and_context(&config, last_error.clone()) {
            Ok(producer) => {
                info!(topic = audit::TOPIC, "audit records are copied to Kafka");
                Some(Self { producer, last_error })
            }
            Err(error) => {
                error!(error = %last_error.explain(&error), "audit records are not copied to Kafka");
                None
            }
        }
    }

    /// One after the other: they are few, and their order is that of the chain.
    async fn copy(&self, line: &Line) {
        let mut headers = OwnedHeaders::new();
        for (key, value) in audit::headers(line.chain, line.number, line.at) {
            headers = headers.insert(Header { key, value: Some(&value) });
        }
        let key = line.chain.to_string();
        let record =
            FutureRecord::to(audit::TOPIC).partition(0).key(&key).payload(&line.bytes).headers(headers);
        if let Err((error, _)) = self.producer.send(record, Timeout::Never).await {
            metrics::counter!("natter_audit_copies_lost_total").increment(1);
            warn!(error = %self.last_error.explain(&error), record = line.number, "an audit record was not copied to Kafka");
        }
    }
}
