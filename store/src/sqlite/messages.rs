//! Messages in their present state.

use async_trait::async_trait;
use natter_schemas::{
    event::{LogEntry, Message},
    id::{ConversationId, Seq},
    rpc::Window,
};
use rusqlite::{Connection, params};

use super::{
    SqliteStore,
    columns::{count, int, kind},
    events, reactions,
};
use crate::{MessageStore, Result, StoreError};

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
                let posted = events::first(
                    db,
                    "SELECT seq, (SELECT data FROM events WHERE events.place = messages.place) FROM messages
                      WHERE conversation = ?1 AND seq = ?2",
                    params![conversation.as_bytes(), int(seq)],
                )?;
                posted.map(|posted| present(db, &posted, up_to)).transpose()
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
    let mut page = db.prepare_cached(if newest {
        "SELECT seq, (SELECT data FROM events WHERE events.place = messages.place) FROM messages
          WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq DESC LIMIT ?4"
    } else {
        "SELECT seq, (SELECT data FROM events WHERE events.place = messages.place) FROM messages
          WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4"
    })?;
    let mut posted =
        events::all(&mut page, params![conversation.as_bytes(), int(after), int(until), count(most)])?;
    if newest {
        posted.reverse();
    }
    posted.iter().map(|posted| present(db, posted, up_to)).collect()
}

/// The message as it stands: its first deletion, or else its newest edit; with the reactions of `up_to`.
fn present(db: &Connection, posted: &LogEntry, up_to: Seq) -> Result<Message> {
    let mut message = Message::posted(posted.seq, &posted.event)
        .ok_or_else(|| StoreError::Corrupt(format!("event {} is not a posted message", posted.event.id)))?;
    let conversation = message.conversation;
    let change =
        |sql, kind: i64| events::first(db, sql, params![conversation.as_bytes(), int(posted.seq), kind]);
    let deletion = change(
        "SELECT seq, (SELECT data FROM events WHERE events.place = changes.place)
           FROM changes INDEXED BY changes_by_target
          WHERE conversation = ?1 AND target = ?2 AND kind = ?3 AND seq > ?2 ORDER BY seq LIMIT 1",
        kind::DELETED,
    )?;
    if let Some(deletion) = deletion {
        message.apply(deletion.seq, &deletion.event);
        return Ok(message);
    }
    let edit = change(
        "SELECT seq, (SELECT data FROM events WHERE events.place = changes.place)
           FROM changes INDEXED BY changes_by_target
          WHERE conversation = ?1 AND target = ?2 AND kind = ?3 AND seq > ?2 ORDER BY seq DESC LIMIT 1",
        kind::EDITED,
    )?;
    if let Some(edit) = edit {
        message.apply(edit.seq, &edit.event);
    }
    if reactions::changed_after(db, (conversation, message.seq), up_to)? {
        for LogEntry { seq, event } in reactions::events(db, (conversation, message.seq), up_to)? {
            message.apply(seq, &event);
        }
    } else {
        message.reactions = reactions::of(db, conversation, message.seq)?;
    }
    Ok(message)
}
