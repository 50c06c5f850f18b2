//! How Kafka is reached, as its client spells it.

use std::sync::Arc;

use natter_runtime::config::Kafka;
use natter_schemas::cloudevent;
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError,
};
use secrecy::ExposeSecret;
use tracing::debug;

#[derive(Debug, Clone)]
pub struct Options {
    pub kafka: Kafka,
    pub topic: String,
}

impl From<Kafka> for Options {
    fn from(kafka: Kafka) -> Self {
        Self { kafka, topic: cloudevent::TOPIC.to_owned() }
    }
}

impl Options {
    /// What producers, consumers and the admin client have in common.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        let security = &self.kafka.security;
        let protocol = match (security.tls, security.sasl.is_some()) {
            (false, false) => "plaintext",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        };
        config
            .set("bootstrap.servers", &self.kafka.brokers)
            .set("client.id", "natter")
            .set("security.protocol", protocol)
            .set("allow.auto.create.topics", "false")
            .set("socket.keepalive.enable", "true")
            // Between attempts to connect; the client adds jitter.
            .set("reconnect.backoff.max.ms", "2000");
        let mut path = |name: &str, path: &std::path::Path| {
            config.set(name, path.to_string_lossy());
        };
        if let Some(ca) = &security.ca {
            path("ssl.ca.location", ca);
        }
        if let Some((certificate, key)) = &security.certificate {
            path("ssl.certificate.location", certificate);
            path("ssl.key.location", key);
        }
        if let Some(sasl) = &security.sasl {
            config
                .set("sasl.mechanism", sasl.mechanism)
                .set("sasl.username", &sasl.username)
                .set("sasl.password", sasl.password.expose_secret());
        }
        config
    }
}

/// What a client logs while it works. It repeats the same failure again and again: the last one is kept for the caller that has to explain
/// why something did not work.
#[derive(Clone, Default)]
pub struct LastClientError {
    last: Arc<Mutex<Option<String>>>,
}

impl LastClientError {
    /// `error`, with what the client logged last: the former is what failed, the latter why.
    pub fn explain(&self, error: &KafkaError) -> String {
        match &*self.last.lock() {
            Some(logged) => format!("{error}: {logged}"),
            None => error.to_string(),
        }
    }

    pub fn last(&self) -> Option<String> {
        self.last.lock().clone()
    }
}

impl ClientContext for LastClientError {
    fn log(&self, level: RDKafkaLogLevel, _: &str, message: &str) {
        debug!(target: "librdkafka", ?level, message);
        if matches!(
            level,
            RDKafkaLogLevel::Emerg
                | RDKafkaLogLevel::Alert
                | RDKafkaLogLevel::Critical
                | RDKafkaLogLevel::Error
        ) {
            *self.last.lock() = Some(message.to_owned());
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", %error, reason);
        *self.last.lock() = Some(reason.to_owned());
    }
}

impl ConsumerContext for LastClientError {}

/// Ends a client: that takes a moment, and no thread of the runtime waits for it.
pub fn discard(client: impl Send + 'static) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(client))),
        Err(_) => drop(client),
    }
}
