//! The trait, method by method.

use async_trait::async_trait;
use natter_schemas::{
    event::{LogEntry, Message, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, SessionId, UserId},
    rpc::{ListCursor, Membership, User, Window},
};

use super::{
    ScyllaStore, accounts, blocks, conversations, history, members, names, persist, reads, sessions,
};
use crate::{AddUser, ConversationRow, Credentials, ListedRow, MemberRow, Renewal, Result, Store, TokenHash};

#[async_trait]
impl Store for ScyllaStore {
    async fn add_user(&self, user: &User, password_hash: &str) -> Result<AddUser> {
        accounts::add(&self.db, user, password_hash).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        accounts::find(&self.db, ids).await
    }

    async fn credentials(&self, login: &str) -> Result<Option<Credentials>> {
        accounts::credentials(&self.db, login).await
    }

    async fn credentials_of(&self, user: UserId) -> Result<Option<Credentials>> {
        accounts::credentials_of(&self.db, user).await
    }

    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>> {
        names::search(&self.db, prefix, limit).await
    }

    async fn set_display_name(&self, user: UserId, name: &str) -> Result<Option<User>> {
        accounts::set_display_name(&self.db, user, name).await
    }

    async fn set_password_hash(&self, user: UserId, password_hash: &str) -> Result<()> {
        accounts::set_password_hash(&self.db, user, password_hash).await
    }

    async fn add_session(
        &self,
        session: SessionId,
        user: UserId,
        token: TokenHash,
        expires_at: Timestamp,
    ) -> Result<()> {
        sessions::add(&self.db, session, user, &token, expires_at).await
    }

    async fn renew_session(
        &self,
        token: TokenHash,
        next: TokenHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Renewal> {
        sessions::renew(&self.db, &token, &next, now, expires_at).await
    }

    async fn end_session(&self, session: SessionId) -> Result<()> {
        sessions::end(&self.db, session).await
    }

    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionId>> {
        sessions::of(&self.db, user, now).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationRow>> {
        conversations::find(&self.db, id).await
    }

    async fn members(&self, id: ConversationId) -> Result<Vec<MemberRow>> {
        members::list(&self.db, id).await
    }

    async fn membership(&self, conversation: ConversationId, user: UserId) -> Result<Option<Membership>> {
        members::find(&self.db, conversation, user).await
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<Membership>> {
        members::of(&self.db, user).await
    }

    async fn list_conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ListedRow>> {
        conversations::list(&self.db, user, after, limit).await
    }

    async fn sharing(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        members::sharing(&self.db, user, others).await
    }

    async fn set_block(&self, user: UserId, other: UserId, on: bool, at: Timestamp) -> Result<()> {
        blocks::set(&self.db, user, other, on, at).await
    }

    async fn blocks_of(&self, user: UserId) -> Result<Vec<UserId>> {
        blocks::of(&self.db, user).await
    }

    async fn blocked_with(&self, user: UserId) -> Result<Vec<UserId>> {
        blocks::with(&self.db, user).await
    }

    async fn persist(&self, partition: Partition, events: &[LogEntry]) -> Result<()> {
        persist::persist(&self.db, &self.known, partition, events).await
    }

    async fn highest(&self, partition: Partition) -> Result<Seq> {
        persist::highest(&self.db, partition).await
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Seq>> {
        conversations::heads(&self.db, conversations).await
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        window: Window,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Message>> {
        history::messages(&self.db, conversation, window, up_to, limit).await
    }

    async fn message(&self, conversation: ConversationId, seq: Seq, up_to: Seq) -> Result<Option<Message>> {
        history::message(&self.db, conversation, seq, up_to).await
    }

    async fn events_from(
        &self,
        conversation: ConversationId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<LogEntry>> {
        history::events_from(&self.db, conversation, after, up_to, limit).await
    }

    async fn find_event(&self, conversation: ConversationId, id: EventId) -> Result<Option<LogEntry>> {
        history::find_event(&self.db, conversation, id).await
    }

    async fn advance_read(
        &self,
        conversation: ConversationId,
        user: UserId,
        seq: Seq,
        at: Timestamp,
    ) -> Result<Seq> {
        reads::advance(&self.db, conversation, user, seq, at).await
    }

    async fn read_mark(&self, conversation: ConversationId, user: UserId) -> Result<Seq> {
        reads::mark(&self.db, conversation, user).await
    }

    async fn countable(
        &self,
        conversation: ConversationId,
        user: UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Seq>> {
        reads::countable(&self.db, conversation, user, (after, up_to), limit).await
    }

    /// As many replicas as any read needs, asked once: a probe that waits longer tells less.
    async fn ready(&self) -> Result<()> {
        self.db.answers(&self.db.statements.highest, (0_i32,)).await
    }

    async fn close(&self) {
        self.db.close().await;
    }
}
