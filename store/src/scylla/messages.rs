//! Messages in their present state.

use async_trait::async_trait;
use natter_schemas::{
    event::{LogEntry, Message},
    id::{ConversationId, EventId, Seq, UserId},
    rpc::Window,
};
use uuid::Uuid;

use super::{
    ScyllaStore,
    buckets::{self, SeqRange},
    cluster::Cluster,
    columns::{self, holds, logged},
    concurrent::each,
    events, reactions,
};
use crate::{MessageStore, Result, StoreError, damage};

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
        match row.and_then(|row| stored(conversation, row)) {
            Some(stored) => present(db, stored, up_to).await.map(Some),
            None => Ok(None),
        }
    }
}

/// A row of `messages` whose message has come.
struct MessageRow {
    /// With its deletion, or else its newest edit.
    message: Message,
    /// Its newest edit is in the row of that edit alone.
    edited_at: Option<Seq>,
    reacted: bool,
}

type Blob = Option<Vec<u8>>;
type Row = (i64, Option<Uuid>, Blob, Blob, Option<i64>, Blob, Option<i64>, Option<bool>, Option<Uuid>);

fn stored(
    conversation: ConversationId,
    (seq, id, data, edit, edit_seq, deletion, deletion_seq, reacted, author): Row,
) -> Option<MessageRow> {
    let (id, data) = (EventId::from_uuid(id?), data?);
    let author = author.map_or(UserId::from_bytes([0; 16]), UserId::from_uuid);
    let edited_at = edit_seq.filter(|_| edit.is_none() && deletion_seq.is_none()).map(columns::seq);
    let change = deletion_seq.zip(deletion).or(edit_seq.zip(edit));
    let known = || Message::unreadable(conversation, columns::seq(seq), id, author);
    let message = logged(seq, &data).and_then(posted).unwrap_or_else(|error| {
        damage::report(conversation, columns::seq(seq), &error);
        known()
    });
    let message = match change.map(|(seq, data)| (seq, logged(seq, &data))) {
        None => message,
        Some((_, Ok(change))) => changed(message, &change),
        Some((seq, Err(error))) => {
            damage::report(conversation, columns::seq(seq), &error);
            message.without_content()
        }
    };
    Some(MessageRow { message, edited_at, reacted: reacted.unwrap_or(false) })
}

fn posted(LogEntry { seq, event }: LogEntry) -> Result<Message> {
    Message::posted(seq, &event)
        .ok_or_else(|| StoreError::Corrupt(format!("event {} is not a posted message", event.id)))
}

fn changed(mut message: Message, LogEntry { seq, event }: &LogEntry) -> Message {
    message.apply(*seq, event);
    message
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
    let keep = move |row| Ok(stored(conversation, row));
    let read = |bucket, most| db.scan(statement, range.of_bucket(bucket), most, keep);
    let page = buckets::scan(db, range, &[holds::MESSAGES], most, read).await?;
    let mut messages = each(page, |stored| present(db, stored, up_to)).await?;
    if !matches!(window, Window::After(_)) {
        messages.reverse();
    }
    Ok(messages)
}

/// With the edit at this seq.
async fn edited(db: &Cluster, message: Message, at: Seq) -> Result<Message> {
    let conversation = message.conversation;
    match events::part(db, &db.statements.changes_up, buckets::of_seq(conversation, at), 1).await {
        Ok(found) if !found.is_empty() => Ok(found.iter().fold(message, changed)),
        Err(error @ StoreError::Unavailable(_)) => Err(error),
        found => {
            let missing = || StoreError::Corrupt(format!("the edit at seq {at} is missing"));
            damage::report(conversation, at, &found.err().unwrap_or_else(missing));
            Ok(message.without_content())
        }
    }
}

/// With the edit and the reactions of `up_to`.
async fn present(db: &Cluster, stored: MessageRow, up_to: Seq) -> Result<Message> {
    let MessageRow { mut message, edited_at, reacted } = stored;
    if let Some(edited_at) = edited_at {
        message = edited(db, message, edited_at).await?;
    }
    if reacted && message.deleted_at.is_none() {
        message.reactions = reactions::of(db, (message.conversation, message.seq), up_to).await?;
    }
    Ok(message)
}
