//! Whether what only workers decide was decided by one. Edges publish into the same logs, and could say that someone is a
//! member. A proof alone could be published a second time; so it counts only where it was made for: nothing of the
//! conversation lies between its basis and the first event of its decision.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use natter_schemas::{
    codec,
    decision::{Basis, DecisionKey, Proof},
    event::Event,
    id::{ConversationId, Partition, Seq},
};

use super::{LogError, LogReader, RawEvent, direct, direct::Query};
use crate::{subject, topology::log_stream};

/// What decides whether decisions count.
#[derive(Clone)]
pub struct Decisions {
    /// That workers prove their decisions with.
    pub key: DecisionKey,
    /// Whether a decision without a proof counts, as workers of the version before publish it.
    pub accepts_unproven: bool,
}

/// An event of a log, with what it carries.
pub struct Claim<'a> {
    /// Its position.
    pub seq: Seq,
    /// What it is.
    pub event: &'a Event,
    /// Its bytes, as published.
    pub payload: &'a Bytes,
    /// What it carries as a proof.
    pub proof: Option<Proof>,
}

impl LogReader {
    /// Decisions that no worker made are left out as events that cannot be read are.
    pub fn judging(self, decisions: Decisions) -> Self {
        Self { decisions: Some(decisions), ..self }
    }

    /// Which of these events of a partition are decisions that no worker made.
    ///
    /// # Errors
    /// The log does not say where one of them belongs.
    pub async fn forged(&self, p: Partition, claims: Vec<Claim<'_>>) -> Result<HashSet<Seq>, LogError> {
        let (mut forged, mut places) = (HashSet::new(), HashMap::new());
        let Some(decisions) = &self.decisions else { return Ok(forged) };
        for Claim { seq, event, payload, proof } in claims {
            if !event.kind.is_decision() {
                continue;
            }
            let holds = match proof {
                None => decisions.accepts_unproven,
                Some(proof) => match decisions.key.verify(&proof, payload) {
                    None => false,
                    Some(basis) => self.is_there(p, event.conversation, seq, basis, &mut places).await?,
                },
            };
            if !holds {
                forged.insert(seq);
            }
        }
        Ok(forged)
    }

    /// Whether the event at `seq` is where it was decided to be.
    async fn is_there(
        &self,
        p: Partition,
        conversation: ConversationId,
        seq: Seq,
        Basis { after, place }: Basis,
        places: &mut HashMap<(ConversationId, Seq), Seq>,
    ) -> Result<bool, LogError> {
        let Some(first) = seq.checked_sub(u64::from(place.saturating_sub(1))) else { return Ok(false) };
        let found = match places.get(&(conversation, after)) {
            Some(found) => *found,
            None => {
                let found = self.first_above(p, conversation, after).await?;
                places.insert((conversation, after), found);
                found
            }
        };
        Ok(found == first)
    }

    /// The first event of the conversation above that seq, which the log must reach back to: 0 otherwise.
    async fn first_above(&self, p: Partition, c: ConversationId, after: Seq) -> Result<Seq, LogError> {
        let next = after.saturating_add(1);
        if self.state(p).await?.first_sequence > next {
            return Ok(0);
        }
        let subject = subject::conv(p, c);
        let query = Query { seq: Some(next), next_by_subj: Some(&subject), ..Query::default() };
        let found = direct::get(&self.js, &log_stream(p), &query).await?.messages.pop();
        // Whoever asks has the event: a copy that has nothing there is behind.
        found
            .map(|found| found.seq)
            .ok_or_else(|| LogError::Unavailable("a copy of the log is behind".to_owned()))
    }

    /// Takes from those that no worker decided what they say.
    pub(super) async fn judge(&self, p: Partition, events: &mut [RawEvent]) -> Result<(), LogError> {
        if self.decisions.is_none() {
            return Ok(());
        }
        let read: Vec<(&RawEvent, Event)> =
            events.iter().filter_map(|raw| Some((raw, codec::decode(&raw.payload).ok()?))).collect();
        let claims = read.iter().map(|(RawEvent { seq, payload, proof, .. }, event)| Claim {
            seq: *seq,
            event,
            payload,
            proof: *proof,
        });
        let claims = claims.collect();
        let forged = self.forged(p, claims).await?;
        for event in events.iter_mut().filter(|event| forged.contains(&event.seq)) {
            event.is_forged = true;
        }
        Ok(())
    }
}
