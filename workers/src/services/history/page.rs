use std::{pin::pin, sync::Arc};

use natter_schemas::{
    event::{Body, Message},
    id::Seq,
    limits,
    rpc::{Page, PageReply, Window},
};
use natter_store::StoreError;

use super::{
    History, Tail,
    compose::{self, PageBuilder},
};
use crate::services::Failure;

/// How far back the log is read, in positions of its partition, to find a page in it without the store.
const LOOK_BACK: [Seq; 4] = [1_000, 20_000, 400_000, Seq::MAX];

impl History {
    pub async fn page(&self, call: Page) -> Result<PageReply, Failure> {
        let ask = Page { limit: call.limit.clamp(*limits::PAGE.start(), *limits::PAGE.end()), ..call };
        let floor = self.floor(ask.conversation);
        match self.page_of_both(ask, floor).await {
            Err(away @ Failure::Store(StoreError::Unavailable(_))) => {
                self.page_of_log(ask, floor).await?.ok_or(away)
            }
            result => result,
        }
    }

    /// The store is asked while the log answers, and not waited for if the log has the whole page.
    async fn page_of_both(&self, ask: Page, floor: Seq) -> Result<PageReply, Failure> {
        let mut log = pin!(self.tail_and_head(ask.conversation, floor));
        let mut store = pin!(self.rows_below(ask, floor));
        let mut rows = None;
        let (tail, head) = loop {
            tokio::select! {
                known = &mut log => break known?,
                read = &mut store, if rows.is_none() => rows = Some(read),
            }
        };
        let rows = match rows {
            _ if is_above(ask, floor, &tail) => return Ok(finish(ask, Vec::new(), &tail, head)),
            Some(rows) => rows?.to_vec(),
            None => store.await?.to_vec(),
        };
        self.over_rows(ask, rows, floor, (&tail, head)).await
    }

    /// The page, given the log above the floor.
    pub async fn page_over(
        &self,
        ask: Page,
        floor: Seq,
        tail: &Tail,
        head: Seq,
    ) -> Result<PageReply, Failure> {
        if is_above(ask, floor, tail) {
            return Ok(finish(ask, Vec::new(), tail, head));
        }
        let rows = self.rows_below(ask, floor).await?.to_vec();
        self.over_rows(ask, rows, floor, (tail, head)).await
    }

    /// A tail that is too long to be held whole is read once more, for this page.
    async fn over_rows(
        &self,
        ask: Page,
        rows: Vec<Message>,
        floor: Seq,
        (tail, head): (&Tail, Seq),
    ) -> Result<PageReply, Failure> {
        if !tail.is_cut() {
            return Ok(finish(ask, rows, tail, head));
        }
        let mut page = PageBuilder::new(ask.window, ask.limit, rows);
        let newest = self.each_event(ask.conversation, floor + 1, |logged| page.add(logged)).await?;
        Ok(built(page, newest.unwrap_or(head)))
    }

    /// One more than the page has: whether there are more is part of the answer. The same page asked many
    /// times at once is read once.
    async fn rows_below(&self, ask: Page, floor: Seq) -> Result<Arc<Vec<Message>>, StoreError> {
        let Page { conversation, window, limit } = ask;
        let read = async { self.store.messages(conversation, window, floor, limit + 1).await.map(Arc::new) };
        let rows = self.rows.try_get_with((ask, floor), read);
        self.in_time(async { rows.await.map_err(|e| (*e).clone()) }).await
    }

    /// The page without the store; `None`: the log does not reach far enough back to be sure of it.
    async fn page_of_log(&self, ask: Page, floor: Seq) -> Result<Option<PageReply>, Failure> {
        let heads = self.log.heads(&[ask.conversation]).await?;
        let Some(head) = heads.get(&ask.conversation).copied() else { return Ok(None) };
        let edge = match ask.window {
            Window::Newest => head,
            Window::Before(edge) => edge.saturating_sub(1).min(head),
            Window::After(edge) => {
                let tail = self.tail(ask.conversation, edge).await?;
                let sure = edge >= floor || tail.first == Some(edge) || tail.is_whole();
                if tail.is_cut() {
                    return self.page_of_long_log(ask, edge, (edge >= floor, head)).await;
                }
                return Ok(sure.then(|| finish(ask, Vec::new(), &tail, tail.head.unwrap_or(head))));
            }
        };
        for reach in LOOK_BACK {
            let from = edge.saturating_sub(reach);
            let tail = self.tail(ask.conversation, from).await?;
            if tail.is_whole() || compose::posts(&tail, ask.window) > ask.limit {
                return Ok(Some(finish(ask, Vec::new(), &tail, tail.head.unwrap_or(head))));
            }
            if tail.is_cut()
                && let Some(page) = self.page_of_long_log(ask, from, (false, head)).await?
            {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    /// The same where the log from there on is too long to be held whole; `sure`: it certainly reaches far enough.
    async fn page_of_long_log(
        &self,
        ask: Page,
        from: Seq,
        (sure, head): (bool, Seq),
    ) -> Result<Option<PageReply>, Failure> {
        let mut page = PageBuilder::new(ask.window, ask.limit, Vec::new());
        let newest = self.each_event(ask.conversation, from, |logged| page.add(logged)).await?;
        let begins = page.first().is_some_and(|(seq, opens)| match ask.window {
            Window::After(edge) => opens || seq == edge,
            Window::Newest | Window::Before(_) => opens || page.messages() > ask.limit,
        });
        Ok((sure || begins).then(|| built(page, newest.unwrap_or(head))))
    }
}

fn built(page: PageBuilder, head: Seq) -> PageReply {
    let (messages, has_more) = page.finish();
    PageReply { messages, has_more, head }
}

/// Whether the log above the floor has the whole page.
fn is_above(ask: Page, floor: Seq, tail: &Tail) -> bool {
    let above = match ask.window {
        Window::Newest | Window::Before(_) => compose::posts(tail, ask.window) > ask.limit,
        Window::After(edge) => edge >= floor && edge >= tail.complete_from.saturating_sub(1),
    };
    above || tail.is_whole()
}

fn finish(ask: Page, rows: Vec<Message>, tail: &Tail, head: Seq) -> PageReply {
    let (messages, has_more) = compose::cut(compose::present(rows, tail), ask.window, ask.limit);
    PageReply { messages, has_more, head }
}

/// What a page of rows occupies in the cache, roughly, in bytes.
pub fn weight(rows: &[Message]) -> u32 {
    let one = |message: &Message| {
        let body = match &message.body {
            Some(Body::Plain(text)) => text.len(),
            Some(Body::Sealed { ciphertext, .. }) => ciphertext.len(),
            None => 0,
        };
        let reactions: usize = message.reactions.iter().map(|r| 64 + 16 * r.users.len()).sum();
        256 + body + reactions
    };
    u32::try_from(128 + rows.iter().map(one).sum::<usize>()).unwrap_or(u32::MAX)
}
