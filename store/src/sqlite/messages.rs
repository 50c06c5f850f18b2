//! Messages in their present state.

use async_trait::async_trait;
use natter_schemas::{
    event::{LogEntry, Message},
    id::{ConversationId, EventId, Seq},
    rpc::Window,
};
use rusqlite::{Connection, Params, Row, params};

use super::{
    SqliteStore,
    columns::{count, int, kind, logged, seq as seq_in, user},
    reactions,
};
use crate::{MessageStore, Result, StoreError, damage};

#[async_trait]
impl MessageStore for SqliteStore {
    async fn messages(
        &self,
        conversation: ConversationId,
        window: Window,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Message>> {
        self.readers.read(move |db| page(db, conversation, window, up_to, limit)).await
    }

    async fn message(&self, conversation: ConversationId, seq: Seq, up_to: Seq) -> Result<Option<Message>> {
        if seq > up_to {
            return Ok(None);
        }
        self.readers
            .read(move |db| {
                let one =
                    "SELECT seq, (SELECT data FROM events WHERE events.place = messages.place), id, author
                             FROM messages WHERE conversation = ?1 AND seq = ?2";
                let posted = posted(db, conversation, one, params![conversation.as_bytes(), int(seq)])?.pop();
                posted.map(|posted| present(db, posted, up_to)).transpose()
            })
            .await
    }
}

fn page(
    db: &Connection,
    conversation: ConversationId,
    window: Window,
    up_to: Seq,
    most: usize,
) -> Result<Vec<Message>> {
    let (after, until, newest) = match window {
        Window::Newest => (0, up_to, true),
        Window::Before(0) => return Ok(Vec::new()),
        Window::Before(seq) => (0, up_to.min(seq - 1), true),
        Window::After(seq) => (seq, up_to, false),
    };
    let page = if newest {
        "SELECT seq, (SELECT data FROM events WHERE events.place = messages.place), id, author FROM messages
          WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq DESC LIMIT ?4"
    } else {
        "SELECT seq, (SELECT data FROM events WHERE events.place = messages.place), id, author FROM messages
          WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4"
    };
    let range = params![conversation.as_bytes(), int(after), int(until), count(most)];
    let mut posted = posted(db, conversation, page, range)?;
    if newest {
        posted.reverse();
    }
    posted.into_iter().map(|posted| present(db, posted, up_to)).collect()
}

/// Messages as they were posted, of a query that selects seq, data, id and author; placeholders for those whose data
/// cannot be read.
fn posted(
    db: &Connection,
    conversation: ConversationId,
    sql: &str,
    params: impl Params,
) -> Result<Vec<Message>> {
    let mut query = db.prepare_cached(sql)?;
    let mut rows = query.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let readable = logged(row).and_then(|LogEntry { seq, event }| {
            Message::posted(seq, &event)
                .ok_or_else(|| StoreError::Corrupt(format!("event {} is not a posted message", event.id)))
        });
        found.push(match readable {
            Ok(message) => message,
            Err(error) => placeholder(conversation, row, &error)?,
        });
    }
    Ok(found)
}

fn placeholder(conversation: ConversationId, row: &Row<'_>, error: &StoreError) -> Result<Message> {
    let (seq, id, author) = (seq_in(row, 0)?, EventId::from_bytes(row.get(2)?), user(row, 3)?);
    damage::report(conversation, seq, error);
    Ok(Message::unreadable(conversation, seq, id, author))
}

/// The change of a message that a query selects; `Err`: there is one, and it cannot be read.
fn change(
    db: &Connection,
    message: &Message,
    sql: &str,
    kind: i64,
) -> Result<Option<std::result::Result<LogEntry, StoreError>>> {
    let mut query = db.prepare_cached(sql)?;
    let mut rows = query.query(params![message.conversation.as_bytes(), int(message.seq), kind])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let change = logged(row);
    if let Err(error) = &change {
        damage::report(message.conversation, seq_in(row, 0)?, error);
    }
    Ok(Some(change))
}

/// The message as it stands: its first deletion, or else its newest edit; with the reactions of `up_to`.
fn present(db: &Connection, mut message: Message, up_to: Seq) -> Result<Message> {
    let deletion = change(
        db,
        &message,
        "SELECT seq, (SELECT data FROM events WHERE events.place = changes.place)
           FROM changes INDEXED BY changes_by_target
          WHERE conversation = ?1 AND target = ?2 AND kind = ?3 AND seq > ?2 ORDER BY seq LIMIT 1",
        kind::DELETED,
    )?;
    match deletion {
        Some(Ok(deletion)) => {
            message.apply(deletion.seq, &deletion.event);
            return Ok(message);
        }
        Some(Err(_)) => return Ok(message.without_content()),
        None => {}
    }
    let edit = change(
        db,
        &message,
        "SELECT seq, (SELECT data FROM events WHERE events.place = changes.place)
           FROM changes INDEXED BY changes_by_target
          WHERE conversation = ?1 AND target = ?2 AND kind = ?3 AND seq > ?2 ORDER BY seq DESC LIMIT 1",
        kind::EDITED,
    )?;
    match edit {
        Some(Ok(edit)) => message.apply(edit.seq, &edit.event),
        Some(Err(_)) => message = message.without_content(),
        None => {}
    }
    let conversation = message.conversation;
    if reactions::changed_after(db, (conversation, message.seq), up_to)? {
        for LogEntry { seq, event } in reactions::events(db, (conversation, message.seq), up_to)? {
            message.apply(seq, &event);
        }
    } else {
        message.reactions = reactions::of(db, conversation, message.seq)?;
    }
    Ok(message)
}
