//! The log against the store, partition by partition: what the persister has acked must be there, as it was
//! logged. Both are read in order, in chunks, so memory grows with conversations and not with events.

mod resealed; // texts that the store has sealed with other keys than the log
mod compare; // pure: two sorted runs of events, and where they differ

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use natter_nats::log::{LogError, LogReader};
use natter_schemas::rpc::RpcError;
use natter_schemas::{
    event::LogEntry,
    id::{ConversationId, Partition, Seq},
};
use natter_seal::DataKeys;
use natter_store::{Store, StoreError};

pub use compare::{Difference, Digests};

use crate::{capped_list::CappedList, consume::Delivery, persist, readable_rows};
use compare::Digest;
pub use resealed::Resealed;

/// Events of one chunk, at the least; 500 more and 4 MiB at most. The fewer chunks, the fewer questions: one
/// for each conversation of a chunk.
const CHUNK: usize = 4_000;
/// Questions to the store at once.
const AT_ONCE: usize = 16;
/// Conversations in one question about heads.
const HEADS_PER_CALL: usize = 500;
/// Differences shown of a partition.
const SHOWN: usize = 10;

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no keys for texts that were sealed again: {0}")]
    Keys(#[from] RpcError),
}

/// What was found in one partition.
#[derive(Debug)]
pub struct PartitionReport {
    pub partition: Partition,
    /// Compared: everything the log has, up to the persister's floor. `None`: nothing is due.
    pub range: Option<(Seq, Seq)>,
    /// Events in the log, without unreadable ones.
    pub events: u64,
    /// Events in the log that no job can use: no rows are due for them.
    pub unreadable: u64,
    /// The store has these texts sealed otherwise than the log.
    pub resealed: Resealed,
    /// Hexadecimal BLAKE3 over seq, id and bytes of each event, in order.
    pub log: String,
    pub store: String,
    pub differences: CappedList<Difference>,
}

impl PartitionReport {
    pub fn is_equal(&self) -> bool {
        self.log == self.store && self.differences.is_empty()
    }
}

pub struct Verifier {
    pub store: Arc<dyn Store>,
    pub log: LogReader,
    pub partitions: u16,
    /// Of texts that were sealed again.
    pub keys: DataKeys,
}

impl Verifier {
    /// Compares one partition up to `floor`. `passed` is called with the number of positions done with each chunk.
    pub async fn partition(
        &self,
        partition: Partition,
        floor: Seq,
        passed: impl Fn(u64),
    ) -> Result<PartitionReport, VerifyError> {
        let mut walk = PartitionCheck {
            verifier: self,
            partition,
            floor,
            begin: None,
            next: 1,
            conversations_checked: HashMap::new(),
            found: Digests::default(),
            unreadable: 0,
            resealed: Resealed::default(),
            differences: CappedList::of(SHOWN),
        };
        loop {
            let before = walk.next;
            let more = walk.chunk().await?;
            passed(walk.next - before);
            if !more {
                break;
            }
        }
        walk.rest().await?;
        walk.heads().await?;
        Ok(walk.report())
    }
}

/// What is known of a conversation.
#[derive(Clone, Copy)]
struct Checked {
    /// Its newest event in the log.
    head: Seq,
    /// Compared up to here.
    checked: Seq,
}

struct PartitionCheck<'a> {
    verifier: &'a Verifier,
    partition: Partition,
    floor: Seq,
    /// The log's first event when it was read: later it may have forgotten it.
    begin: Option<Seq>,
    next: Seq,
    conversations_checked: HashMap<ConversationId, Checked>,
    found: Digests,
    unreadable: u64,
    resealed: Resealed,
    differences: CappedList<Difference>,
}

impl PartitionCheck<'_> {
    /// One chunk of the log and the same range of the store. False: it was the last.
    async fn chunk(&mut self) -> Result<bool, VerifyError> {
        let mut logged: BTreeMap<ConversationId, Vec<LogEntry>> = BTreeMap::new();
        let (mut count, mut more) = (0, true);
        while count < CHUNK && more {
            let mut kept = self.verifier.log.in_order(self.partition, self.next).await?;
            kept.truncate(kept.partition_point(|event| event.seq <= self.floor));
            more = !kept.is_empty();
            count += kept.len();
            for event in kept {
                self.begin.get_or_insert(event.seq);
                self.next = event.seq + 1;
                let delivery = Delivery::from(event);
                match persist::read(&delivery, self.partition, self.verifier.partitions) {
                    Ok(event) => logged.entry(event.event.conversation).or_default().push(event),
                    Err(_) => self.unreadable += 1,
                }
            }
        }
        let up_to = if more { self.next - 1 } else { self.floor };
        self.compare(logged, up_to).await?;
        Ok(more)
    }

    /// Each conversation from where it was left, so that what only the store has between two of its events is
    /// seen too.
    async fn compare(
        &mut self,
        logged: BTreeMap<ConversationId, Vec<LogEntry>>,
        up_to: Seq,
    ) -> Result<(), VerifyError> {
        let begin = self.begin.unwrap_or(1);
        let asked: Vec<_> = logged
            .into_iter()
            .map(|(c, events)| {
                (c, self.conversations_checked.get(&c).map_or(begin, |checked| checked.checked + 1), events)
            })
            .collect();
        for (c, _, events) in &asked {
            let head = events.last().map(|event| event.seq);
            let checked = self.conversations_checked.entry(*c).or_insert(Checked { head: 0, checked: 0 });
            *checked = Checked { head: head.unwrap_or(checked.head), checked: up_to };
        }
        let store = &*self.verifier.store;
        let rows = asked.into_iter().map(|(c, from, events)| async move {
            Ok::<_, StoreError>((c, events, readable_rows::read(store, c, (from, up_to), usize::MAX).await?))
        });
        let read: Vec<_> = stream::iter(rows).buffer_unordered(AT_ONCE).try_collect().await?;
        for (c, events, mut rows) in read {
            self.resealed += resealed::take_as_logged(&self.verifier.keys, &events, &mut rows.events).await?;
            compare::conversation(c, events, rows, &mut self.found, &mut self.differences);
        }
        self.found.settle();
        Ok(())
    }

    /// What the store has after a conversation's last event in the log, up to the floor.
    async fn rest(&mut self) -> Result<(), VerifyError> {
        let left: Vec<_> = self
            .conversations_checked
            .iter()
            .filter(|(_, checked)| checked.checked < self.floor)
            .map(|(c, _)| *c)
            .collect();
        for some in left.chunks(CHUNK) {
            self.compare(some.iter().map(|c| (*c, Vec::new())).collect(), self.floor).await?;
        }
        Ok(())
    }

    /// The projection behind lists, pages and counts: each conversation's newest event.
    async fn heads(&mut self) -> Result<(), VerifyError> {
        let conversations: Vec<_> =
            self.conversations_checked.iter().map(|(c, checked)| (*c, checked.head)).collect();
        for some in conversations.chunks(HEADS_PER_CALL) {
            let ids: Vec<_> = some.iter().map(|(c, _)| *c).collect();
            let heads = self.verifier.store.heads(&ids).await?;
            for ((conversation, seq), head) in some.iter().zip(heads) {
                if head < *seq {
                    let (conversation, seq) = (*conversation, *seq);
                    self.differences.push(Difference::HeadBehind { conversation, seq, head });
                }
            }
        }
        Ok(())
    }

    fn report(self) -> PartitionReport {
        let Digest { events, log, store } = self.found.digest();
        PartitionReport {
            partition: self.partition,
            range: self.begin.map(|begin| (begin, self.floor)),
            events,
            unreadable: self.unreadable,
            resealed: self.resealed,
            log,
            store,
            differences: self.differences,
        }
    }
}
