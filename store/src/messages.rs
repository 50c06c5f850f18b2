use async_trait::async_trait;
use natter_schemas::{
    event::Message,
    id::{ConversationId, Seq},
    rpc::Window,
};

use crate::Result;

/// Messages in their present state: with edits, deletion and reactions applied.
#[async_trait]
pub trait MessageStore: Send + Sync + 'static {
    /// Messages with seq ≤ `up_to`, ascending: the `limit` nearest to the window's edge (`Newest` and `Before`: the
    /// highest; `After`: the lowest). Their bodies in the present state, whatever was persisted ahead of others;
    /// their reactions as they were at `up_to`, so that those of later events fall into place behind them. A message
    /// whose event or present state cannot be read is a placeholder ([`Message::unreadable`]), counted and logged.
    async fn messages(
        &self,
        conversation: ConversationId,
        window: Window,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Message>>;
    /// The one at `seq`, as [`MessageStore::messages`] has it.
    async fn message(&self, conversation: ConversationId, seq: Seq, up_to: Seq) -> Result<Option<Message>>;
}
