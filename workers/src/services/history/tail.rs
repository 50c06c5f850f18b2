use nats::log::{LogError, RawEvent};
use schemas::{
    event::{Kind, Logged},
    id::{ConversationId, Seq},
};
use tracing::error;

use super::History;
use crate::services::Failure;

/// Events of one conversation that one answer may read above the floor: at about 300 B each 3 MB. A healthy
/// persister leaves a second's worth; this many mean that it has stood still for long.
const EVENTS: usize = 10_000;

/// Reads of the head and the tail until they agree: the second does unless copies of the log differ.
const ATTEMPTS: usize = 8;

/// A conversation's log from some position to its end.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// Ascending. Events nobody can read (a newer node wrote them) are left out here, not in the positions.
    pub events: Vec<Logged>,
    pub first: Option<Seq>,
    /// Newest seq of the conversation, unless nothing lies in the range.
    pub head: Option<Seq>,
}

impl Tail {
    /// Nothing came before: the conversation began here.
    pub fn is_whole(&self) -> bool {
        self.events.first().is_some_and(|logged| {
            self.first == Some(logged.seq) && matches!(logged.event.kind, Kind::Created { .. })
        })
    }

    pub(super) fn of(raw: &[RawEvent]) -> Self {
        Self {
            events: decode(raw),
            first: raw.first().map(|event| event.seq),
            head: raw.last().map(|event| event.seq),
        }
    }
}

pub(super) fn decode(raw: &[RawEvent]) -> Vec<Logged> {
    let readable = |event: &RawEvent| match event.decode() {
        Ok(logged) => Some(logged),
        Err(e) => {
            error!(seq = event.seq, error = %e, "an event of the log cannot be read and is left out");
            None
        }
    };
    raw.iter().filter_map(readable).collect()
}

impl History {
    /// All events of the conversation with seq ≥ `from` that the log has.
    pub async fn tail(&self, conversation: ConversationId, from: Seq) -> Result<Tail, Failure> {
        let raw = self.log.from(conversation, from.max(1), EVENTS + 1).await?;
        if raw.len() > EVENTS { Err(Failure::TooFarBehind(EVENTS)) } else { Ok(Tail::of(&raw)) }
    }

    /// The log above the floor, and the conversation's head at that moment: the page made of both has
    /// everything up to that head.
    pub async fn tail_and_head(
        &self,
        conversation: ConversationId,
        floor: Seq,
    ) -> Result<(Tail, Seq), Failure> {
        for _ in 0..ATTEMPTS {
            let tail = self.tail(conversation, floor + 1).await?;
            if let Some(head) = tail.head {
                return Ok((tail, head));
            }
            // An event may have come since; then the next tail has it.
            if let Some(head) = self.head_below(conversation, floor).await? {
                return Ok((tail, head));
            }
        }
        Err(LogError::Unavailable("a copy of the log lags behind the others".to_owned()).into())
    }
}
