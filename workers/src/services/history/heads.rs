use std::{collections::HashMap, sync::Arc};

use natter_nats::log::LogError;
use natter_schemas::{
    id::{ConversationId, Seq},
    rpc::{GetHead, LogHeads, RoomHeads},
};

use super::History;
use crate::services::Failure;

impl History {
    pub(super) async fn head(&self, call: GetHead) -> Result<Seq, Failure> {
        let heads = self.heads_of(&[call.conversation]).await?;
        Ok(heads.get(&call.conversation).copied().unwrap_or(0))
    }

    pub(super) async fn room_heads(&self, call: RoomHeads) -> Result<Vec<Seq>, Failure> {
        let heads = self.heads_of(&call.conversations).await?;
        Ok(call.conversations.iter().map(|c| heads.get(c).copied().unwrap_or(0)).collect())
    }

    /// From the log; for conversations silent for longer than it reaches, from the store.
    pub async fn heads_of(
        &self,
        conversations: &[ConversationId],
    ) -> Result<HashMap<ConversationId, Seq>, Failure> {
        let mut heads = self.log.heads(conversations).await?;
        let silent: Vec<_> = conversations.iter().copied().filter(|c| !heads.contains_key(c)).collect();
        if !silent.is_empty() {
            let stored = self.store.heads(&silent).await?;
            heads.extend(silent.into_iter().zip(stored));
        }
        Ok(heads)
    }

    /// Of a conversation that the log has nothing of.
    pub(super) async fn stored_head(&self, conversation: ConversationId) -> Result<Seq, Failure> {
        Ok(self.store.heads(&[conversation]).await?.first().copied().unwrap_or(0))
    }

    pub(super) async fn log_heads(&self, _: LogHeads) -> Result<Vec<Seq>, Failure> {
        let read = async { self.log.last_seqs().await.map(Arc::new) };
        let heads = self.log_heads.try_get_with((), read).await;
        Ok(heads.map_err(|e| LogError::Unavailable(e.to_string()))?.to_vec())
    }
}
