//! The trait, method by method: which statements, on which side.

use async_trait::async_trait;
use natter_schemas::{
    event::{LogEntry, Message, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, SessionId, UserId},
    rpc::{ListCursor, Membership, User, Window},
};

use super::{
    SqliteStore, accounts, blocks, conversations, events, history, members, persist, reads, sessions,
};
use crate::{AddUser, ConversationRow, Credentials, ListedRow, MemberRow, Renewal, Result, Store, TokenHash};

#[async_trait]
impl Store for SqliteStore {
    async fn add_user(&self, user: &User, password_hash: &str) -> Result<AddUser> {
        let (user, hash) = (user.clone(), password_hash.to_owned());
        self.writer.write(1, move |db| accounts::add(db, &user, &hash)).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let ids = ids.to_owned();
        self.readers.read(move |db| accounts::find(db, &ids)).await
    }

    async fn credentials(&self, login: &str) -> Result<Option<Credentials>> {
        let login = login.to_owned();
        self.readers.read(move |db| accounts::credentials(db, &login)).await
    }

    async fn credentials_of(&self, user: UserId) -> Result<Option<Credentials>> {
        self.readers.read(move |db| accounts::credentials_of(db, user)).await
    }

    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>> {
        let prefix = prefix.to_owned();
        self.readers.read(move |db| accounts::search(db, &prefix, limit)).await
    }

    async fn set_display_name(&self, user: UserId, name: &str) -> Result<Option<User>> {
        let name = name.to_owned();
        self.writer.write(1, move |db| accounts::set_display_name(db, user, &name)).await
    }

    async fn set_password_hash(&self, user: UserId, password_hash: &str) -> Result<()> {
        let hash = password_hash.to_owned();
        self.writer.write(1, move |db| accounts::set_password_hash(db, user, &hash)).await
    }

    async fn add_session(
        &self,
        session: SessionId,
        user: UserId,
        token: TokenHash,
        expires_at: Timestamp,
    ) -> Result<()> {
        self.writer.write(1, move |db| sessions::add(db, session, user, &token, expires_at)).await
    }

    async fn renew_session(
        &self,
        token: TokenHash,
        next: TokenHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Renewal> {
        self.writer.write(1, move |db| sessions::renew(db, &token, &next, now, expires_at)).await
    }

    async fn end_session(&self, session: SessionId) -> Result<()> {
        self.writer.write(1, move |db| sessions::end(db, session)).await
    }

    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionId>> {
        self.readers.read(move |db| sessions::of(db, user, now)).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationRow>> {
        self.readers.read(move |db| conversations::find(db, id)).await
    }

    async fn members(&self, id: ConversationId) -> Result<Vec<MemberRow>> {
        self.readers.read(move |db| members::list(db, id)).await
    }

    async fn membership(&self, conversation: ConversationId, user: UserId) -> Result<Option<Membership>> {
        self.readers.read(move |db| members::find(db, conversation, user)).await
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<Membership>> {
        self.readers.read(move |db| members::of(db, user)).await
    }

    async fn list_conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ListedRow>> {
        self.readers.read(move |db| conversations::list(db, user, after, limit)).await
    }

    async fn sharing(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        let others = others.to_owned();
        self.readers.read(move |db| members::sharing(db, user, &others)).await
    }

    async fn set_block(&self, user: UserId, other: UserId, on: bool, at: Timestamp) -> Result<()> {
        self.writer.write(1, move |db| blocks::set(db, user, other, on, at)).await
    }

    async fn blocks_of(&self, user: UserId) -> Result<Vec<UserId>> {
        self.readers.read(move |db| blocks::of(db, user)).await
    }

    async fn blocked_with(&self, user: UserId) -> Result<Vec<UserId>> {
        self.readers.read(move |db| blocks::with(db, user)).await
    }

    async fn persist(&self, partition: Partition, events: &[LogEntry]) -> Result<()> {
        let rows = persist::rows(events);
        self.writer.write(rows.len(), move |db| persist::apply(db, partition, &rows)).await
    }

    async fn highest(&self, partition: Partition) -> Result<Seq> {
        self.readers.read(move |db| persist::highest(db, partition)).await
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Seq>> {
        let ids = conversations.to_owned();
        self.readers.read(move |db| conversations::heads(db, &ids)).await
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        window: Window,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Message>> {
        self.readers.read(move |db| history::messages(db, conversation, window, up_to, limit)).await
    }

    async fn message(&self, conversation: ConversationId, seq: Seq, up_to: Seq) -> Result<Option<Message>> {
        self.readers.read(move |db| history::message(db, conversation, seq, up_to)).await
    }

    async fn events_from(
        &self,
        conversation: ConversationId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<LogEntry>> {
        self.readers.read(move |db| events::from(db, conversation, (after, up_to), limit)).await
    }

    async fn find_event(&self, conversation: ConversationId, id: EventId) -> Result<Option<LogEntry>> {
        self.readers.read(move |db| events::find(db, conversation, id)).await
    }

    async fn advance_read(
        &self,
        conversation: ConversationId,
        user: UserId,
        seq: Seq,
        at: Timestamp,
    ) -> Result<Seq> {
        self.writer.write(1, move |db| reads::advance(db, conversation, user, seq, at)).await
    }

    async fn read_mark(&self, conversation: ConversationId, user: UserId) -> Result<Seq> {
        self.readers.read(move |db| reads::mark(db, conversation, user)).await
    }

    async fn countable(
        &self,
        conversation: ConversationId,
        user: UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Seq>> {
        self.readers.read(move |db| reads::countable(db, conversation, user, (after, up_to), limit)).await
    }

    /// Both sides: a reader that finds the schema, and the writer's thread getting round to an empty job.
    async fn ready(&self) -> Result<()> {
        self.readers.read(|db| persist::highest(db, Partition(0))).await?;
        self.writer.write(0, |_| Ok(())).await
    }

    async fn close(&self) {
        self.readers.close();
        self.writer.close().await;
    }
}
