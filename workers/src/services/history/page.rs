use std::sync::Arc;

use schemas::{
    event::{Body, Message},
    id::Seq,
    limits,
    rpc::{Page, PageReply, Window},
};
use store::StoreError;

use super::{History, Tail, compose};
use crate::services::Failure;

/// How far back the log is read, in positions of its partition, to find a page in it without the store.
const REACH: [Seq; 4] = [1_000, 20_000, 400_000, Seq::MAX];

impl History {
    pub async fn page(&self, call: Page) -> Result<PageReply, Failure> {
        let ask = Page { limit: call.limit.clamp(*limits::PAGE.start(), *limits::PAGE.end()), ..call };
        let floor = self.floor(ask.conversation);
        let whole = async {
            let (tail, head) = self.tail_and_head(ask.conversation, floor).await?;
            self.page_over(ask, floor, &tail, head).await
        };
        match whole.await {
            Err(short @ (Failure::Store(StoreError::Unavailable(_)) | Failure::TooFarBehind(_))) => {
                self.page_of_log(ask, floor).await?.ok_or(short)
            }
            result => result,
        }
    }

    /// The page, given the log above the floor.
    pub async fn page_over(
        &self,
        ask: Page,
        floor: Seq,
        tail: &Tail,
        head: Seq,
    ) -> Result<PageReply, Failure> {
        let above = match ask.window {
            Window::Newest | Window::Before(_) => compose::posts(tail, ask.window) > ask.limit,
            Window::After(edge) => edge >= floor,
        };
        let rows =
            if above || tail.is_whole() { Vec::new() } else { self.rows_below(ask, floor).await?.to_vec() };
        Ok(finish(ask, rows, tail, head))
    }

    /// One more than the page has: whether there are more is part of the answer. The same page asked many
    /// times at once is read once.
    async fn rows_below(&self, ask: Page, floor: Seq) -> Result<Arc<Vec<Message>>, StoreError> {
        let Page { conversation, window, limit } = ask;
        let read = async { self.store.messages(conversation, window, floor, limit + 1).await.map(Arc::new) };
        self.rows.try_get_with((ask, floor), read).await.map_err(|e| (*e).clone())
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
                let head = tail.head.unwrap_or(head);
                return Ok(sure.then(|| finish(ask, Vec::new(), &tail, head)));
            }
        };
        for reach in REACH {
            let tail = self.tail(ask.conversation, edge.saturating_sub(reach)).await?;
            if tail.is_whole() || compose::posts(&tail, ask.window) > ask.limit {
                let head = tail.head.unwrap_or(head);
                return Ok(Some(finish(ask, Vec::new(), &tail, head)));
            }
        }
        Ok(None)
    }
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
