//! Reads across buckets of a conversation, until there are enough rows.

use natter_schemas::id::{ConversationId, Seq};
use uuid::Uuid;

use super::{
    cluster::Cluster,
    columns::{bucket, int, raw},
    concurrent::each,
};
use crate::Result;

/// Buckets read at once at most. It begins with one, where a busy conversation has its whole page, and
/// reads four times as many with each round.
const BUCKETS_AT_ONCE: usize = 32;

/// Seqs of one conversation, in one direction.
#[derive(Clone, Copy)]
pub struct SeqRange {
    conversation: ConversationId,
    from: Seq,
    to: Seq,
    up: bool,
}

impl SeqRange {
    /// From `from` to `to`, both included; `None` if there is nothing in between.
    pub fn up(conversation: ConversationId, from: Option<Seq>, to: Seq) -> Option<Self> {
        let from = from.filter(|from| *from <= to)?;
        Some(Self { conversation, from, to, up: true })
    }

    /// From `from` downwards; `None` if there is nothing.
    pub fn down(conversation: ConversationId, from: Option<Seq>) -> Option<Self> {
        Some(Self { conversation, from: 0, to: from?, up: false })
    }

    /// The values of a range of one bucket.
    pub fn of_bucket(&self, bucket: i64) -> (Uuid, i64, i64, i64) {
        (raw(self.conversation.as_bytes()), bucket, int(self.from), int(self.to))
    }
}

/// The values of a range of one seq.
pub fn of_seq(conversation: ConversationId, seq: Seq) -> (Uuid, i64, i64, i64) {
    (raw(conversation.as_bytes()), bucket(seq), int(seq), int(seq))
}

/// The first `most` items of the range, in its direction; `read` reads up to that many from one bucket.
pub async fn scan<T, R>(
    db: &Cluster,
    range: SeqRange,
    kinds: &[i8],
    most: usize,
    read: impl Fn(i64, usize) -> R,
) -> Result<Vec<T>>
where
    R: Future<Output = Result<Vec<T>>> + Send,
{
    let (mut low, mut high) = (bucket(range.from), bucket(range.to));
    let (mut found, mut width) = (Vec::new(), 1);
    while found.len() < most && low <= high {
        let next = next_buckets(db, range, kinds, (low, high), width).await?;
        let Some(last) = next.last().copied() else { break };
        let missing = most - found.len();
        found.extend(each(next, |bucket| read(bucket, missing)).await?.into_iter().flatten());
        if range.up {
            low = last + 1;
        } else {
            high = last - 1;
        }
        width = (width * 4).min(BUCKETS_AT_ONCE);
    }
    found.truncate(most);
    Ok(found)
}

/// The next buckets that are not empty.
async fn next_buckets(
    db: &Cluster,
    range: SeqRange,
    kinds: &[i8],
    (low, high): (i64, i64),
    most: usize,
) -> Result<Vec<i64>> {
    let s = &db.statements;
    let statement = if range.up { &s.buckets_up } else { &s.buckets_down };
    let listed = each(kinds.to_owned(), |kind| {
        let range = (raw(range.conversation.as_bytes()), kind, low, high);
        db.scan(statement, range, most, |(bucket,): (i64,)| Ok(Some(bucket)))
    });
    let mut buckets = listed.await?.concat();
    buckets.sort_unstable_by_key(|bucket| if range.up { *bucket } else { -*bucket });
    buckets.dedup();
    buckets.truncate(most);
    Ok(buckets)
}
