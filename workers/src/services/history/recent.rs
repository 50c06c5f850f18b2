//! Which conversations have events above the floor. Of a few each is asked for; for many the logs are read in their own
//! order from where the last question ended, so that an event is read once, however many lists are asked for and
//! however many conversations are in them.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use natter_nats::{
    log::{LogError, StoredMessage},
    subject,
};
use natter_schemas::id::{ConversationId, Partition, Seq};
use tokio::sync::Mutex;

use super::History;

/// So many conversations are asked for each by itself: about as expensive as one question to each of 16 partitions.
const FEW: usize = 100;
/// Portions of 500 events that one question reads of a partition. When there are more, the persister has stood still for
/// long; then each conversation is asked for.
const PORTIONS: usize = 20;

/// What is known of one partition's log above its floor.
#[derive(Default)]
pub(super) struct Recent(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The first position that was not read.
    next: Seq,
    /// The newest event of each conversation.
    newest: HashMap<ConversationId, Seq>,
}

impl Known {
    /// What the floor has passed is in the store.
    fn forget(&mut self, floor: Seq) {
        self.newest.retain(|_, seq| *seq > floor);
        self.next = self.next.max(floor + 1);
    }

    fn learn(&mut self, events: &[StoredMessage]) {
        for event in events {
            self.next = self.next.max(event.seq + 1);
            if let Some((_, conversation)) = subject::parse_conversation(&event.subject) {
                let newest = self.newest.entry(conversation).or_default();
                *newest = event.seq.max(*newest);
            }
        }
    }
}

impl History {
    /// The newest seq of those conversations that have events above their floor. `floors`: by partition.
    pub async fn heads_above(
        &self,
        conversations: &[ConversationId],
        floors: &[Seq],
    ) -> Result<HashMap<ConversationId, Seq>, LogError> {
        let floor = |p: Partition| floors.get(usize::from(p.0)).copied().unwrap_or(0);
        let mut by_partition: HashMap<Partition, Vec<ConversationId>> = HashMap::new();
        for conversation in conversations {
            by_partition
                .entry(Partition::of(*conversation, self.partitions))
                .or_default()
                .push(*conversation);
        }
        let many = conversations.len() > FEW;
        let asked = by_partition.into_iter().map(|(p, of_partition)| async move {
            let read = if many { self.read_above(p, &of_partition, floor(p)).await? } else { None };
            if let Some(heads) = read {
                return Ok(heads);
            }
            let mut heads = self.log.heads(&of_partition).await?;
            heads.retain(|_, head| *head > floor(p));
            Ok::<_, LogError>(heads)
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    /// `None`: there are too many events above the floor.
    async fn read_above(
        &self,
        p: Partition,
        conversations: &[ConversationId],
        floor: Seq,
    ) -> Result<Option<HashMap<ConversationId, Seq>>, LogError> {
        let Some(recent) = self.recent.get(usize::from(p.0)) else { return Ok(None) };
        // Who waits here reads only what came in the meantime.
        let mut known = recent.0.lock().await;
        known.forget(floor);
        for _ in 0..PORTIONS {
            let events = self.log.in_order(p, known.next).await?;
            if events.is_empty() {
                let head = |id: &ConversationId| known.newest.get(id).map(|seq| (*id, *seq));
                return Ok(Some(conversations.iter().filter_map(head).collect()));
            }
            known.learn(&events);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use natter_nats::async_nats::HeaderMap;

    use super::*;

    fn event(seq: Seq, conversation: ConversationId) -> StoredMessage {
        let subject = subject::conv(Partition(0), conversation);
        StoredMessage { seq, subject, headers: HeaderMap::new(), payload: Bytes::new() }
    }

    #[test]
    fn what_the_floor_has_passed_is_forgotten_and_never_read_again() {
        let (a, b) = (ConversationId::fresh(), ConversationId::fresh());
        let mut known = Known::default();
        known.forget(3);
        assert_eq!(known.next, 4);
        known.learn(&[event(5, a), event(6, b), event(9, a)]);
        assert_eq!((known.next, known.newest[&a], known.newest[&b]), (10, 9, 6));
        known.forget(6);
        assert_eq!((known.next, known.newest.len(), known.newest[&a]), (10, 1, 9));
        known.forget(20);
        assert_eq!((known.next, known.newest.len()), (21, 0));
    }
}
