//! Messages and events read back.

use natter_schemas::{
    event::{LogEntry, Message},
    id::{ConversationId, EventId, Seq},
    rpc::Window,
};
use scylla::statement::prepared::PreparedStatement;
use uuid::Uuid;

use super::{
    abreast::each,
    buckets::{self, Walk},
    cluster::Cluster,
    columns::{bucket, holds, int, logged, raw, seq as seq_of},
    reactions,
};
use crate::{Result, StoreError};

/// A row of `messages` whose message has come.
struct Stored {
    posted: LogEntry,
    edit: Option<LogEntry>,
    deletion: Option<LogEntry>,
    reacted: bool,
}

type Blob = Option<Vec<u8>>;
type Row = (i64, Option<Uuid>, Blob, Blob, Option<i64>, Blob, Option<i64>, Option<bool>);

fn stored((seq, id, data, edit, edit_seq, deletion, deletion_seq, reacted): Row) -> Result<Option<Stored>> {
    let (Some(_id), Some(data)) = (id, data) else { return Ok(None) };
    let change =
        |seq: Option<i64>, data: Blob| seq.zip(data).map(|(seq, data)| logged(seq, &data)).transpose();
    Ok(Some(Stored {
        posted: logged(seq, &data)?,
        edit: change(edit_seq, edit)?,
        deletion: change(deletion_seq, deletion)?,
        reacted: reacted.unwrap_or(false),
    }))
}

pub async fn messages(
    db: &Cluster,
    conversation: ConversationId,
    window: Window,
    up_to: Seq,
    most: usize,
) -> Result<Vec<Message>> {
    let s = &db.statements;
    let (way, statement) = match window {
        Window::Newest => (Walk::down(conversation, Some(up_to)), &s.messages_down),
        Window::Before(seq) => {
            (Walk::down(conversation, seq.checked_sub(1).map(|last| last.min(up_to))), &s.messages_down)
        }
        Window::After(seq) => (Walk::up(conversation, seq.checked_add(1), up_to), &s.messages_up),
    };
    let Some(way) = way else { return Ok(Vec::new()) };
    let read = |bucket, most| db.scan(statement, way.range(bucket), most, stored);
    let page = buckets::walk(db, way, &[holds::MESSAGES], most, read).await?;
    let mut messages = each(page, |stored| present(db, stored, up_to)).await?;
    if !matches!(window, Window::After(_)) {
        messages.reverse();
    }
    Ok(messages)
}

pub async fn message(
    db: &Cluster,
    conversation: ConversationId,
    seq: Seq,
    up_to: Seq,
) -> Result<Option<Message>> {
    if seq > up_to {
        return Ok(None);
    }
    let row = db.first::<Row>(&db.statements.messages_up, at(conversation, seq)).await?;
    match row.map(stored).transpose()?.flatten() {
        Some(stored) => present(db, stored, up_to).await.map(Some),
        None => Ok(None),
    }
}

/// A range of one seq.
fn at(conversation: ConversationId, seq: Seq) -> (Uuid, i64, i64, i64) {
    (raw(conversation.as_bytes()), bucket(seq), int(seq), int(seq))
}

/// The message as it stands: its first deletion, or else its newest edit; with the reactions of `up_to`.
async fn present(db: &Cluster, stored: Stored, up_to: Seq) -> Result<Message> {
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

pub async fn events_from(
    db: &Cluster,
    conversation: ConversationId,
    from: Seq,
    up_to: Seq,
    most: usize,
) -> Result<Vec<LogEntry>> {
    let Some(way) = Walk::up(conversation, Some(from), up_to) else { return Ok(Vec::new()) };
    buckets::walk(db, way, &[holds::MESSAGES, holds::CHANGES], most, |bucket, most| async move {
        let s = &db.statements;
        let posted = part(db, &s.posted_up, way.range(bucket), most);
        let changes = part(db, &s.changes_up, way.range(bucket), most);
        let (posted, changes) = tokio::try_join!(posted, changes)?;
        let mut events = [posted, changes].concat();
        events.sort_by_key(|logged| logged.seq);
        events.truncate(most);
        Ok(events)
    })
    .await
}

async fn part(
    db: &Cluster,
    statement: &PreparedStatement,
    range: (Uuid, i64, i64, i64),
    most: usize,
) -> Result<Vec<LogEntry>> {
    let event = |(seq, data): (i64, Blob)| data.map(|data| logged(seq, &data)).transpose();
    db.scan(statement, range, most, event).await
}

pub async fn find_event(db: &Cluster, conversation: ConversationId, id: EventId) -> Result<Option<LogEntry>> {
    let s = &db.statements;
    let key = (raw(conversation.as_bytes()), raw(id.as_bytes()));
    let Some((Some(seq),)) = db.first::<(Option<i64>,)>(&s.place_of_event, key).await? else {
        return Ok(None);
    };
    let place = at(conversation, seq_of(seq));
    let (posted, change) =
        tokio::try_join!(part(db, &s.posted_up, place, 1), part(db, &s.changes_up, place, 1))?;
    // Not there yet: its row and its place are written side by side.
    Ok(posted.into_iter().chain(change).find(|logged| logged.event.id == id))
}
