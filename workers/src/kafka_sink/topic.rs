//! The topic: made when it is missing, refused when it has another number of partitions than the log.

use std::time::Duration;

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    config::FromClientConfigAndContext,
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::{task::spawn_blocking, time::Instant};

use super::{
    options::{LastClientError, Options, discard},
    reader::BROKER_TIMEOUT,
};

/// From the creation of a topic until every partition has a leader.
const LEADERS_ELECTED_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    #[error(
        "the Kafka topic {topic} has {found} partitions, but the log has {wanted}, and partition p of one is partition p of the other: delete the topic, and it is made and filled again as far as the log reaches back, or set PARTITIONS to what it was"
    )]
    Partitions { topic: String, found: usize, wanted: u16 },
    #[error("the Kafka topic {topic} cannot be made: {reason}")]
    CreateFailed { topic: String, reason: String },
    #[error("{0}")]
    Unavailable(String),
}

/// Returns once the topic is there with so many partitions.
pub async fn ensure(options: &Options, partitions: u16) -> Result<(), TopicError> {
    let last_error = LastClientError::default();
    let admin: AdminClient<LastClientError> =
        AdminClient::from_config_and_context(&options.client(), last_error.clone())
            .map_err(|e| TopicError::Unavailable(last_error.explain(&e)))?;
    let mut topic = Topic { admin: Some(admin), last_error, name: options.topic.clone() };
    let mut found = topic.partitions().await?;
    if found == 0 {
        let replication = options.kafka.replication.map_or(BROKERS_DEFAULT, i32::from);
        topic.create(partitions, replication).await?;
        let deadline = Instant::now() + LEADERS_ELECTED_WITHIN;
        while found == 0 && Instant::now() < deadline {
            found = topic.partitions().await?;
        }
    }
    if found == usize::from(partitions) {
        Ok(())
    } else {
        Err(TopicError::Partitions { topic: topic.name.clone(), found, wanted: partitions })
    }
}

const BROKERS_DEFAULT: i32 = -1;

struct Topic {
    /// None while a thread has it.
    admin: Option<AdminClient<LastClientError>>,
    last_error: LastClientError,
    name: String,
}

impl Topic {
    /// How many it has; 0: there is no such topic, or not yet.
    async fn partitions(&mut self) -> Result<usize, TopicError> {
        let admin =
            self.admin.take().ok_or_else(|| TopicError::Unavailable("the client has gone".to_owned()))?;
        let name = self.name.clone();
        let asked = spawn_blocking(move || {
            let metadata = admin.inner().fetch_metadata(Some(&name), BROKER_TIMEOUT);
            (admin, metadata)
        });
        let (admin, metadata) = asked.await.map_err(|e| TopicError::Unavailable(e.to_string()))?;
        self.admin = Some(admin);
        let metadata = metadata.map_err(|e| TopicError::Unavailable(self.last_error.explain(&e)))?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.name);
        let Some(topic) = topic else { return Ok(0) };
        match topic.error().map(RDKafkaErrorCode::from) {
            None => {
                let led = topic.partitions().iter().all(|partition| partition.leader() >= 0);
                Ok(if led { topic.partitions().len() } else { 0 })
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::LeaderNotAvailable) => Ok(0),
            Some(error) => Err(TopicError::Unavailable(error.to_string())),
        }
    }

    async fn create(&self, partitions: u16, replication: i32) -> Result<(), TopicError> {
        let refused = |reason: String| TopicError::CreateFailed { topic: self.name.clone(), reason };
        let Some(admin) = &self.admin else { return Err(refused("the client has gone".to_owned())) };
        let topic = NewTopic::new(&self.name, i32::from(partitions), TopicReplication::Fixed(replication));
        let patience =
            AdminOptions::new().request_timeout(Some(BROKER_TIMEOUT)).operation_timeout(Some(BROKER_TIMEOUT));
        let created = admin.create_topics([&topic], &patience).await;
        match created.map_err(|e| TopicError::Unavailable(self.last_error.explain(&e)))?.into_iter().next() {
            // Another worker was faster: theirs is the same.
            None | Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, error))) if passes(error) => Err(TopicError::Unavailable(error.to_string())),
            Some(Err((_, error))) => Err(refused(KafkaError::AdminOp(error).to_string())),
        }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        discard(self.admin.take());
    }
}

const fn passes(error: RDKafkaErrorCode) -> bool {
    matches!(
        error,
        RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::NotController
            | RDKafkaErrorCode::CoordinatorNotAvailable
            // Brokers that have just started do not know one another yet.
            | RDKafkaErrorCode::InvalidReplicationFactor
    )
}
