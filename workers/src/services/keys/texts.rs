//! Every text in the store, for commands that go over all of them once, beside people who write.

use std::{future::Future, num::NonZeroU32, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use natter_schemas::{
    event::LogEntry,
    id::{ConversationId, Seq},
};
use natter_store::{Store, StoreError};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::readable_rows;

/// Conversations listed at once; a command that ended goes on behind such a page.
const PAGE: usize = 200;
/// Of a page at once.
const AT_ONCE: usize = 8;
/// Events read at once: 500 × 8 KiB = 4 MiB for each of the conversations at work.
const CHUNK: usize = 500;

/// Texts of one conversation, in its order.
pub struct Chunk {
    pub conversation: ConversationId,
    /// Posts and edits alone.
    pub texts: Vec<LogEntry>,
    /// Rows among them that cannot be read.
    pub unreadable: u64,
}

/// Goes over all conversations behind `after`. `visited` is called with the last one of each page, when all of it is done.
pub async fn each<V, E>(
    store: &dyn Store,
    after: Option<ConversationId>,
    visit: impl Fn(Chunk) -> V,
    visited: impl Fn(ConversationId, u64),
) -> Result<(), E>
where
    V: Future<Output = Result<(), E>>,
    E: From<StoreError>,
{
    let mut after = after;
    loop {
        let page = store.conversations_after(after, PAGE).await?;
        let Some(last) = page.last().copied() else { return Ok(()) };
        after = Some(last);
        let count = page.len() as u64;
        stream::iter(page)
            .map(|conversation| of_one(store, conversation, &visit))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        visited(last, count);
    }
}

async fn of_one<V, E>(
    store: &dyn Store,
    conversation: ConversationId,
    visit: &impl Fn(Chunk) -> V,
) -> Result<(), E>
where
    V: Future<Output = Result<(), E>>,
    E: From<StoreError>,
{
    let mut from: Seq = 1;
    loop {
        let rows = readable_rows::read(store, conversation, (from, Seq::MAX), CHUNK).await?;
        let last = rows.events.last().map(|entry| entry.seq);
        let whole = rows.events.len() < CHUNK;
        let mut texts = rows.events;
        texts.retain(|entry| entry.event.body().is_some());
        visit(Chunk { conversation, texts, unreadable: rows.unreadable.len() as u64 }).await?;
        match last {
            Some(last) if !whole => from = last + 1,
            _ => return Ok(()),
        }
    }
}

/// Keeps work at a rate, however many do it at once.
pub struct Pace {
    a_second: NonZeroU32,
    /// When the next may begin.
    next: Mutex<Instant>,
}

impl Pace {
    pub fn of(a_second: NonZeroU32) -> Self {
        Self { a_second, next: Mutex::new(Instant::now()) }
    }

    /// Returns when it is time for so many.
    pub async fn wait(&self, count: usize) {
        let seconds = Duration::from_secs(u64::try_from(count).unwrap_or(u64::MAX));
        let takes = seconds / self.a_second.get();
        let begin = {
            let mut next = self.next.lock();
            let begin = (*next).max(Instant::now());
            *next = begin + takes;
            begin
        };
        sleep_until(begin).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_is_kept_at_its_rate_however_many_do_it() {
        let (pace, begun) = (Pace::of(NonZeroU32::new(100).unwrap()), Instant::now());
        tokio::join!(pace.wait(50), pace.wait(50), pace.wait(100));
        pace.wait(0).await;
        assert_eq!(begun.elapsed().as_secs(), 2);
        // What was not used is not made up for.
        tokio::time::advance(Duration::from_mins(1)).await;
        let later = Instant::now();
        pace.wait(100).await;
        pace.wait(1).await;
        assert_eq!(later.elapsed().as_secs(), 1);
    }
}
