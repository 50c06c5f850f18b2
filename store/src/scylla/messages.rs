//! Messages in their present state.

use async_trait::async_trait;
use natter_schemas::{
    event::{LogEntry, Message},
    id::{ConversationId, Seq},
    rpc::Window,
};
use uuid::Uuid;

use super::{
    ScyllaStore,
    buckets::{self, SeqRange},
    cluster::Cluster,
    columns::{holds, logged},
    concurrent::each,
    reactions,
};
use crate::{MessageStore, Result, StoreError};

#[async_trait]
impl MessageStore for ScyllaStore {
    async fn messages(
        &self,
        conversation: ConversationId,
        window: Window,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Message>> {
        page(&self.db, conversation, window, up_to, limit).await
    }

    async fn message(&self, conversation: ConversationId, seq: Seq, up_to: Seq) -> Result<Option<Message>> {
        if seq > up_to {
            return Ok(None);
        }
        let db = &self.db;
        let row = db.first::<Row>(&db.statements.messages_up, buckets::of_seq(conversation, seq)).await?;
        match row.map(stored).transpose()?.flatten() {
            Some(stored) => present(db, stored, up_to).await.map(Some),
            None => Ok(None),
        }
    }
}

/// A row of `messages` whose message has come.
struct MessageRow {
    posted: LogEntry,
    edit: Option<LogEntry>,
    deletion: Option<LogEntry>,
    reacted: bool,
}

type Blob = Option<Vec<u8>>;
type Row = (i64, Option<Uuid>, Blob, Blob, Option<i64>, Blob, Option<i64>, Option<bool>);

fn stored(
    (seq, id, data, edit, edit_seq, deletion, deletion_seq, reacted): Row,
) -> Result<Option<MessageRow>> {
    let (Some(_id), Some(data)) = (id, data) else { return Ok(None) };
    let change =
        |seq: Option<i64>, data: Blob| seq.zip(data).map(|(seq, data)| logged(seq, &data)).transpose();
    Ok(Some(MessageRow {
        posted: logged(seq, &data)?,
        edit: change(edit_seq, edit)?,
        deletion: change(deletion_seq, deletion)?,
        reacted: reacted.unwrap_or(false),
    }))
}

async fn page(
    db: &Cluster,
    conversation: ConversationId,
    window: Window,
    up_to: Seq,
    most: usize,
) -> Result<Vec<Message>> {
    let s = &db.statements;
    let (range, statement) = match window {
        Window::Newest => (SeqRange::down(conversation, Some(up_to)), &s.messages_down),
        Window::Before(seq) => {
            (SeqRange::down(conversation, seq.checked_sub(1).map(|last| last.min(up_to))), &s.messages_down)
        }
        Window::After(seq) => (SeqRange::up(conversation, seq.checked_add(1), up_to), &s.messages_up),
    };
    let Some(range) = range else { return Ok(Vec::new()) };
    let read = |bucket, most| db.scan(statement, range.of_bucket(bucket), most, stored);
    let page = buckets::scan(db, range, &[holds::MESSAGES], most, read).await?;
    let mut messages = each(page, |stored| present(db, stored, up_to)).await?;
    if !matches!(window, Window::After(_)) {
        messages.reverse();
    }
    Ok(messages)
}

/// The message as it stands: its first deletion, or else its newest edit; with the reactions of `up_to`.
async fn present(db: &Cluster, stored: MessageRow, up_to: Seq) -> Result<Message> {
    let LogEntry { seq, event } = stored.posted;
    let mut message = Message::posted(seq, &event)
        .ok_or_else(|| StoreError::Corrupt(format!("event {} is not a posted message", event.id)))?;
    if let Some(LogEntry { seq, event }) = stored.deletion {
        message.apply(seq, &event);
        return Ok(message);
    }
    if let Some(LogEntry { seq, event }) = stored.edit {
        message.apply(seq, &event);
    }
    if stored.reacted {
        message.reactions = reactions::of(db, (message.conversation, seq), up_to).await?;
    }
    Ok(message)
}
