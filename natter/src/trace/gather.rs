use std::time::Duration;

use natter_nats::{
    connect::Purpose,
    trace::{self, Answers, Step},
};
use natter_schemas::{
    codec,
    event::{Event, Timestamp},
    id::{ConversationId, EventId, Partition, Seq},
};
use natter_store::{Store, StoreError};
use natter_workers::kafka_sink::Options;

use crate::operator::Operator;

/// How long nodes have to answer.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is asked for, as far as it is known before anything is looked up.
pub struct Named {
    pub event: EventId,
    pub conversation: Option<ConversationId>,
    /// Where a link says that it is.
    pub place: Option<(Partition, Seq)>,
}

/// Everything that is known of an event.
pub struct Found {
    pub event: EventId,
    pub nodes: Answers,
    /// Where the log has it, or had.
    pub place: Option<(Partition, Seq)>,
    pub log: InLog,
    pub store: InStore,
    pub kafka: InKafka,
    pub read: Option<Read>,
}

/// Whether the log has it.
pub enum InLog {
    /// With the server's own time.
    Here { event: Box<Event>, at: Option<Timestamp> },
    /// It was there and is forgotten, or the log is another one by now.
    Gone,
    /// No one knows of a place in the log.
    NotPublished,
}

/// Whether the store has it.
pub enum InStore {
    Here,
    /// The persister has done everything up to `floor`.
    Missing {
        floor: Seq,
    },
    /// Its conversation is not known.
    NotAsked,
}

/// Whether Kafka has it.
pub enum InKafka {
    /// There is no mirror.
    Off,
    Here {
        topic: String,
        /// `None`: the worker that wrote it has forgotten, or was replaced.
        offset: Option<u64>,
    },
    /// Kafka has everything up to `floor`.
    Missing { topic: String, floor: Seq },
    /// It is not known to be in the log.
    NotPublished,
}

/// Of the other members.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    pub by: usize,
    pub of: usize,
}

impl Found {
    pub fn is_known(&self) -> bool {
        self.place.is_some() || self.nodes.answers.iter().any(|answer| !answer.hops.is_empty())
    }

    /// As the log has it.
    pub fn logged(&self) -> Option<&Event> {
        match &self.log {
            InLog::Here { event, .. } => Some(event),
            InLog::Gone | InLog::NotPublished => None,
        }
    }
}

pub async fn gather(operator: &Operator, store: &dyn Store, named: &Named) -> anyhow::Result<Found> {
    let &Named { event, conversation, place } = named;
    let client = operator.client(Purpose::Rpc).await?;
    let asked = async { trace::ask(&client, event, PATIENCE).await.map_err(|error| anyhow::anyhow!(error)) };
    let (nodes, stored) = tokio::try_join!(asked, async { Ok(find(store, conversation, event).await?) })?;
    let partitions = operator.deployment.partitions;
    let remembered = nodes.answers.iter().flat_map(|answer| &answer.hops).find_map(|hop| hop.place);
    let stored = stored.map(|(c, seq)| (Partition::of(c, partitions), seq));
    let place = stored.or(remembered).or(place);

    let (log, kafka) = tokio::try_join!(in_log(operator, event, place), in_kafka(operator, &nodes, place))?;
    let (author, conversation) = match &log {
        InLog::Here { event, .. } => (Some(event.author), Some(event.conversation)),
        InLog::Gone | InLog::NotPublished => (None, conversation),
    };
    let in_store = match conversation {
        None => InStore::NotAsked,
        Some(conversation) if store.find_event(conversation, event).await?.is_some() => InStore::Here,
        Some(conversation) => {
            let floor = operator.log.persist_floor(Partition::of(conversation, partitions)).await?;
            InStore::Missing { floor }
        }
    };
    let read = match (place, conversation) {
        (Some((_, seq)), Some(conversation)) => {
            let members = store.members(conversation).await?;
            let others = members.iter().filter(|row| Some(row.member.user) != author);
            let (by, of) = others.fold((0, 0), |(by, of), row| (by + usize::from(row.read >= seq), of + 1));
            Some(Read { by, of })
        }
        _ => None,
    };
    Ok(Found { event, nodes, place, log, store: in_store, kafka, read })
}

async fn find(
    store: &dyn Store,
    conversation: Option<ConversationId>,
    event: EventId,
) -> Result<Option<(ConversationId, Seq)>, StoreError> {
    let Some(conversation) = conversation else { return Ok(None) };
    Ok(store.find_event(conversation, event).await?.map(|entry| (conversation, entry.seq)))
}

async fn in_log(
    operator: &Operator,
    event: EventId,
    place: Option<(Partition, Seq)>,
) -> anyhow::Result<InLog> {
    let Some((partition, seq)) = place else { return Ok(InLog::NotPublished) };
    let Some(message) = operator.log.stored_at(partition, seq).await? else { return Ok(InLog::Gone) };
    let at = message.at();
    Ok(match codec::decode(&message.payload) {
        Ok(found) if found.id == event => InLog::Here { event: Box::new(found), at },
        _ => InLog::Gone,
    })
}

async fn in_kafka(
    operator: &Operator,
    nodes: &Answers,
    place: Option<(Partition, Seq)>,
) -> anyhow::Result<InKafka> {
    let Some(kafka) = operator.settings().kafka.clone() else { return Ok(InKafka::Off) };
    let Some((partition, seq)) = place else { return Ok(InKafka::NotPublished) };
    let Options { topic, .. } = Options::from(kafka);
    let offset = nodes.answers.iter().flat_map(|answer| &answer.hops).find_map(|hop| match hop.step {
        Step::Mirrored { offset } => Some(offset),
        _ => None,
    });
    let floor = operator.log.mirror_floor(partition).await?;
    Ok(if offset.is_some() || floor >= seq {
        InKafka::Here { topic, offset }
    } else {
        InKafka::Missing { topic, floor }
    })
}
