//! Read marks, and what is beyond them.

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, Seq, UserId},
};
use uuid::Uuid;

use super::{
    ScyllaStore,
    buckets::{self, SeqRange},
    columns::{self, int, newest, raw, time},
};
use crate::{ReadMarkStore, ReadPosition, Result, UnreadMark};

#[async_trait]
impl ReadMarkStore for ScyllaStore {
    async fn advance_read(
        &self,
        conversation: ConversationId,
        user: UserId,
        seq: Seq,
        at: Timestamp,
    ) -> Result<Seq> {
        let row = (newest(seq), int(seq), time(at), raw(conversation.as_bytes()), raw(user.as_bytes()));
        self.db.write(&self.db.statements.read_up_to, row).await?;
        // A replica that has not received it yet cannot make the mark seem further back.
        Ok(self.read_mark(conversation, user).await?.max(seq))
    }

    async fn read_mark(&self, conversation: ConversationId, user: UserId) -> Result<Seq> {
        let key = (raw(conversation.as_bytes()), raw(user.as_bytes()));
        let row = self.db.first::<(Option<i64>,)>(&self.db.statements.read_mark, key).await?;
        Ok(row.and_then(|(read,)| read).map_or(0, columns::seq))
    }

    async fn read_position(&self, conversation: ConversationId, user: UserId) -> Result<ReadPosition> {
        type Row = (Option<(i64, i64, i64)>, Option<i64>);
        let key = (raw(user.as_bytes()), raw(conversation.as_bytes()));
        let marked = self.db.first::<Row>(&self.db.statements.unread_mark, key);
        let (read, marked) = tokio::try_join!(self.read_mark(conversation, user), marked)?;
        let (mark, ended) = marked.unwrap_or_default();
        Ok(position(read, mark, ended))
    }

    async fn mark_unread(&self, conversation: ConversationId, user: UserId, mark: UnreadMark) -> Result<()> {
        let UnreadMark { version, position, over } = mark;
        let key = (raw(user.as_bytes()), raw(conversation.as_bytes()));
        let mark = (int(position), int(over), int(version));
        let row = (newest(version), mark, key.0, key.1);
        self.db.write(&self.db.statements.mark_unread, row).await
    }

    async fn end_unread(&self, conversation: ConversationId, user: UserId, version: u64) -> Result<()> {
        let key = (raw(user.as_bytes()), raw(conversation.as_bytes()));
        let row = (newest(version), int(version), key.0, key.1);
        self.db.write(&self.db.statements.end_unread, row).await
    }

    async fn countable(
        &self,
        conversation: ConversationId,
        user: UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Seq>> {
        let db = &self.db;
        let Some(range) = SeqRange::up(conversation, after.checked_add(1), up_to) else {
            return Ok(Vec::new());
        };
        let user = raw(user.as_bytes());
        let countable = move |(seq, author, deletion): (i64, Option<Uuid>, Option<i64>)| {
            let counts = author.is_some_and(|author| author != user) && deletion.is_none();
            Ok(counts.then(|| columns::seq(seq)))
        };
        buckets::scan(db, range, &[columns::holds::MESSAGES], limit, |bucket, most| {
            db.scan(&db.statements.countable_up, range.of_bucket(bucket), most, countable)
        })
        .await
    }
}

/// Of a read mark and the columns of `unread_marks`.
pub fn position(read: Seq, mark: Option<(i64, i64, i64)>, ended: Option<i64>) -> ReadPosition {
    let (position, over, version) = mark.unwrap_or_default();
    let [position, over, version, ended] =
        [position, over, version, ended.unwrap_or_default()].map(columns::seq);
    ReadPosition { read, unread: UnreadMark { version, position, over }, ended }
}
