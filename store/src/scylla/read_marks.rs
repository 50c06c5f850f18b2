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
use crate::{ReadMarkStore, Result};

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
