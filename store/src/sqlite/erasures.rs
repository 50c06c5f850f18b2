//! Users' data destroyed. Rows that are deleted are overwritten (`secure_delete`), and so are the pages that copies of them
//! may be left on.

use async_trait::async_trait;
use natter_schemas::{
    codec,
    event::Timestamp,
    id::{ConversationId, Seq, UserId},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteStore,
    columns::{conversation, count, int, time, user as user_of},
    open,
};
use crate::{
    Erasure, ErasureStore, Result, StoreError, Traces,
    erasures::{CLOSED, NO_ROOT, without_text},
};

#[async_trait]
impl ErasureStore for SqliteStore {
    async fn request_erasure(&self, user: UserId, at: Timestamp) -> Result<bool> {
        self.writer.write(1, move |db| request(db, user, at)).await
    }

    async fn erasure(&self, user: UserId) -> Result<Option<Erasure>> {
        self.readers
            .read(move |db| {
                let found = db
                    .prepare_cached("SELECT user, requested_at, record, done FROM erasures WHERE user = ?1")?
                    .query_row([user.as_bytes()], erasure)
                    .optional()?;
                Ok(found)
            })
            .await
    }

    async fn open_erasures(&self, most: usize) -> Result<Vec<Erasure>> {
        self.readers
            .read(move |db| {
                let mut open = db.prepare_cached(
                    "SELECT user, requested_at, record, done FROM erasures
                      WHERE NOT done ORDER BY requested_at LIMIT ?1",
                )?;
                Ok(open.query_map([count(most)], erasure)?.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn record_erasure(&self, user: UserId, from: &[u8], to: &[u8], done: bool) -> Result<bool> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.writer
            .write(1, move |db| {
                let mut record = db.prepare_cached(
                    "UPDATE erasures SET record = ?3, done = ?4 WHERE user = ?1 AND record = ?2",
                )?;
                Ok(record.execute(params![user.as_bytes(), from, to, done])? > 0)
            })
            .await
    }

    async fn traces(&self, user: UserId) -> Result<Traces> {
        self.readers.read(move |db| traces(db, user)).await
    }

    async fn conversations_ever(&self, user: UserId) -> Result<Vec<ConversationId>> {
        self.readers
            .read(move |db| {
                let mut of = db.prepare_cached("SELECT conversation FROM members WHERE user = ?1")?;
                let ids = of.query_map([user.as_bytes()], |row| conversation(row, 0))?;
                Ok(ids.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn erase_keys(&self, user: UserId) -> Result<()> {
        self.writer
            .write(2, move |db| {
                db.prepare_cached("DELETE FROM data_keys WHERE user = ?1")?.execute([user.as_bytes()])?;
                db.prepare_cached(
                    "INSERT INTO user_keys (user, root, wrapped) VALUES (?1, ?2, x'')
                     ON CONFLICT (user) DO UPDATE SET root = excluded.root, wrapped = excluded.wrapped",
                )?
                .execute(params![user.as_bytes(), NO_ROOT])?;
                rewrite(db, "data_keys")?;
                rewrite(db, "user_keys")
            })
            .await
    }

    async fn erase_sessions(&self, user: UserId) -> Result<()> {
        self.writer
            .write(1, move |db| {
                db.prepare_cached("DELETE FROM sessions WHERE user = ?1")?.execute([user.as_bytes()])?;
                Ok(())
            })
            .await
    }

    async fn erase_marks(&self, user: UserId, conversations: &[ConversationId]) -> Result<()> {
        let conversations = conversations.to_owned();
        self.writer
            .write(1 + conversations.len(), move |db| {
                let mut marks =
                    db.prepare_cached("DELETE FROM reads WHERE conversation = ?1 AND user = ?2")?;
                for conversation in conversations {
                    marks.execute(params![conversation.as_bytes(), user.as_bytes()])?;
                }
                db.prepare_cached("DELETE FROM reservations WHERE user = ?1")?.execute([user.as_bytes()])?;
                Ok(())
            })
            .await
    }

    async fn erase_profile(&self, user: UserId) -> Result<()> {
        self.writer.write(1, move |db| erase_profile(db, user)).await
    }

    async fn erase_texts(&self, conversation: ConversationId, seqs: &[Seq]) -> Result<()> {
        let seqs = seqs.to_owned();
        self.writer
            .write(seqs.len(), move |db| seqs.iter().try_for_each(|seq| erase_text(db, conversation, *seq)))
            .await
    }

    /// Former versions of pages are in the log of changes until it is emptied.
    async fn overwrite_erased(&self) -> Result<()> {
        let path = self.path.clone();
        let emptied = tokio::task::spawn_blocking(move || -> Result<()> {
            let db = open::existing(&path)?;
            // Waits for readers and writers, for as long as any call does.
            let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if busy == 0 {
                return Ok(());
            }
            Err(StoreError::Unavailable("the log of changes is being read and cannot be emptied".to_owned()))
        });
        emptied.await.map_err(|e| StoreError::Unavailable(format!("it was cut short: {e}")))?
    }
}

fn erasure(row: &Row<'_>) -> rusqlite::Result<Erasure> {
    Ok(Erasure {
        user: user_of(row, 0)?,
        requested_at: time(row, 1)?,
        record: row.get(2)?,
        done: row.get(3)?,
    })
}

/// The one writer puts this before or after a change of the password, never beside it.
fn request(db: &Connection, user: UserId, at: Timestamp) -> Result<bool> {
    let closed = db
        .prepare_cached("UPDATE users SET password_hash = ?2, password_set_by = ?3 WHERE id = ?1")?
        .execute(params![user.as_bytes(), CLOSED, [0_u8; 16]])?;
    if closed == 0 {
        return Ok(false);
    }
    db.prepare_cached(
        "INSERT INTO erasures (user, requested_at, record) VALUES (?1, ?2, x'') ON CONFLICT DO NOTHING",
    )?
    .execute(params![user.as_bytes(), at.0])?;
    Ok(true)
}

fn traces(db: &Connection, user: UserId) -> Result<Traces> {
    let counted = |sql: &str| -> Result<u64> {
        let n: i64 = db.prepare_cached(sql)?.query_row([user.as_bytes()], |row| row.get(0))?;
        Ok(u64::try_from(n).unwrap_or(0))
    };
    Ok(Traces {
        profiles: counted("SELECT count(*) FROM users WHERE id = ?1 AND username <> ''")?
            + counted("SELECT count(*) FROM (SELECT 1 FROM user_words WHERE user = ?1 LIMIT 1)")?
            + counted("SELECT count(*) FROM identities WHERE user = ?1")?,
        user_keys: counted("SELECT count(*) FROM user_keys WHERE user = ?1 AND root <> ''")?,
        data_keys: counted("SELECT count(*) FROM data_keys WHERE user = ?1")?,
        sessions: counted("SELECT count(*) FROM sessions WHERE user = ?1")?,
        blocks: counted("SELECT count(*) FROM blocks WHERE user = ?1")?,
        marks: counted(
            "SELECT count(*) FROM members m JOIN reads r ON r.conversation = m.conversation AND r.user = m.user
              WHERE m.user = ?1",
        )?,
        reservations: counted("SELECT count(*) FROM reservations WHERE user = ?1")?,
    })
}

/// No text begins with 0xFF: what stands for the names of before is no one else's.
fn erase_profile(db: &Connection, user: UserId) -> Result<()> {
    db.prepare_cached("DELETE FROM user_words WHERE user = ?1")?.execute([user.as_bytes()])?;
    db.prepare_cached("DELETE FROM identities WHERE user = ?1")?.execute([user.as_bytes()])?;
    db.prepare_cached("DELETE FROM one_time_tokens WHERE user = ?1")?.execute([user.as_bytes()])?;
    let no_name = [&[0xFF], user.as_bytes().as_slice()].concat();
    db.prepare_cached(
        "UPDATE users SET username = '', username_fold = ?2, email = '', email_fold = ?2, display_name = ''
          WHERE id = ?1 AND password_hash = ?3",
    )?
    .execute(params![user.as_bytes(), no_name, CLOSED])?;
    rewrite(db, "identities")?;
    rewrite_users(db)
}

/// Nothing of former addresses and names stays.
pub(super) fn rewrite_users(db: &Connection) -> Result<()> {
    rewrite(db, "user_words")?;
    rewrite(db, "users")
}

/// Trees that were split have copies of rows in the free parts of their pages, which no deletion overwrites. All pages of
/// the table are freed, and overwritten by that, before its rows are written again: a second for a million users.
fn rewrite(db: &Connection, table: &str) -> Result<()> {
    db.execute_batch(&format!(
        "CREATE TEMP TABLE kept AS SELECT * FROM main.{table};
         DELETE FROM main.{table};
         INSERT INTO main.{table} SELECT * FROM temp.kept;
         DROP TABLE temp.kept;"
    ))?;
    Ok(())
}

fn erase_text(db: &Connection, conversation: ConversationId, seq: Seq) -> Result<()> {
    let mut find = db.prepare_cached(
        "SELECT place, data FROM events WHERE place IN (
             SELECT place FROM messages WHERE conversation = ?1 AND seq = ?2
             UNION ALL
             SELECT place FROM changes WHERE conversation = ?1 AND seq = ?2)",
    )?;
    let found = find
        .query_row(params![conversation.as_bytes(), int(seq)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    // What cannot be read is not shown either; its bytes are left to who mends it.
    let Some((place, data)) = found else { return Ok(()) };
    let Some(emptied) = codec::decode(&data).ok().as_ref().and_then(without_text) else { return Ok(()) };
    db.prepare_cached("UPDATE events SET data = ?2 WHERE place = ?1")?
        .execute(params![place, codec::encode(&emptied)])?;
    Ok(())
}
