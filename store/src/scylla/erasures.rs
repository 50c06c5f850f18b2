//! Users' data destroyed. What is deleted here is gone from the cluster's files with the compactions that follow
//! `gc_grace_seconds`.

use async_trait::async_trait;
use natter_schemas::{
    codec,
    event::{Kind, Timestamp},
    id::{ConversationId, Seq, UserId},
};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::{
    ScyllaStore, accounts,
    columns::{bucket, emptied, int, newest, raw, time},
    concurrent::each,
    names,
};
use crate::{
    Erasure, ErasureStore, EventStore, IdentityStore, KeyPurpose, KeyStore, OneTimeTokenStore,
    ReservationStore, Result, Traces, erasures::without_text,
};

/// The only partition of open erasures.
const SHARD: i8 = 0;

#[async_trait]
impl ErasureStore for ScyllaStore {
    /// First among the open ones: a request that ends after that is completed by whoever finds it there.
    async fn request_erasure(&self, user: UserId, at: Timestamp) -> Result<bool> {
        let (db, s, id) = (&self.db, &self.db.statements, raw(user.as_bytes()));
        if accounts::named(db, user).await?.is_none() {
            return Ok(false);
        }
        if self.erasure(user).await?.is_none_or(|erasure| !erasure.done) {
            db.write(&s.open_erasure, (SHARD, id, time(at))).await?;
        }
        db.applied(&s.add_erasure, (id, time(at), Vec::<u8>::new())).await?;
        db.applied(&s.close_account, (Uuid::nil(), id)).await?;
        Ok(true)
    }

    async fn erasure(&self, user: UserId) -> Result<Option<Erasure>> {
        type Row = (Option<CqlTimestamp>, Option<Vec<u8>>, Option<bool>);
        let row = self.db.first::<Row>(&self.db.statements.erasure, (raw(user.as_bytes()),)).await?;
        Ok(row.map(|(at, record, done)| Erasure {
            user,
            requested_at: Timestamp(at.map_or(0, |at| at.0)),
            record: record.unwrap_or_default(),
            done: done.unwrap_or(false),
        }))
    }

    async fn open_erasures(&self, most: usize) -> Result<Vec<Erasure>> {
        let (db, s) = (&self.db, &self.db.statements);
        let row = |(user, at): (Uuid, Option<CqlTimestamp>)| {
            Ok(Some((UserId::from_uuid(user), Timestamp(at.map_or(0, |at| at.0)))))
        };
        let listed = db.scan(&s.open_erasures, (SHARD,), most, row).await?;
        let mut open = Vec::new();
        for (user, at) in listed {
            let erasure = self.erasure(user).await?;
            // Also when it is there: the account may not have been closed before the request was cut off.
            if erasure.as_ref().is_none_or(|erasure| erasure.record.is_empty()) {
                self.request_erasure(user, at).await?;
            }
            match self.erasure(user).await? {
                Some(erasure) if erasure.done => self.unlist(user).await?,
                erasure => open.extend(erasure),
            }
        }
        Ok(open)
    }

    async fn record_erasure(&self, user: UserId, from: &[u8], to: &[u8], done: bool) -> Result<bool> {
        let row = (to, done, raw(user.as_bytes()), from);
        let recorded = self.db.applied(&self.db.statements.record_erasure, row).await?;
        if recorded && done {
            self.unlist(user).await?;
        }
        Ok(recorded)
    }

    async fn traces(&self, user: UserId) -> Result<Traces> {
        let (db, s, id) = (&self.db, &self.db.statements, raw(user.as_bytes()));
        let mut traces = Traces::default();
        let named = accounts::named(db, user).await?;
        traces.profiles = u64::from(named.is_some_and(|named| !named.user.is_erased()));
        traces.profiles += self.identities_of(user).await?.len() as u64;
        for purpose in KeyPurpose::ALL {
            let keys = self.keys(&[user], purpose).await?.pop().unwrap_or_default();
            traces.user_keys = u64::from(keys.own.is_some());
            traces.data_keys += keys.data.len() as u64;
        }
        traces.sessions = db.all::<(Uuid,)>(&s.sessions_of, (id,)).await?.len() as u64;
        traces.blocks = crate::BlockStore::blocks_of(self, user).await?.len() as u64;
        traces.reservations = self.reservations(user).await?.len() as u64;
        let unread = db.all::<(Uuid, Option<(i64, i64, i64)>, Option<i64>)>(&s.unread_marks, (id,)).await?;
        let conversations = self.conversations_ever(user).await?;
        let read = each(conversations, |of| async move {
            let key = (raw(of.as_bytes()), id);
            let row = db.first::<(Option<i64>,)>(&s.read_mark, key).await?;
            Ok(row.and_then(|(read,)| read).is_some())
        });
        let read = read.await?.into_iter().filter(|read| *read).count();
        traces.marks = (unread.len() + read) as u64;
        Ok(traces)
    }

    async fn conversations_ever(&self, user: UserId) -> Result<Vec<ConversationId>> {
        let id = |(id,): (Uuid,)| Ok(Some(ConversationId::from_uuid(id)));
        self.db.scan(&self.db.statements.conversations_ever, (raw(user.as_bytes()),), usize::MAX, id).await
    }

    async fn erase_keys(&self, user: UserId) -> Result<()> {
        let (db, s, id) = (&self.db, &self.db.statements, raw(user.as_bytes()));
        // Of two statements one finds what it needs, whoever adds a key at the same moment.
        db.applied(&s.mark_no_user_key, (id,)).await?;
        db.applied(&s.destroy_user_key, (id,)).await?;
        for purpose in KeyPurpose::ALL {
            let data = db.all::<(i64, Vec<u8>)>(&s.data_keys, (id, purpose.name())).await?;
            each(data, |(epoch, _)| db.applied(&s.delete_data_key, (id, purpose.name(), epoch))).await?;
        }
        Ok(())
    }

    async fn erase_sessions(&self, user: UserId) -> Result<()> {
        let (db, s, id) = (&self.db, &self.db.statements, raw(user.as_bytes()));
        let listed = db.all::<(Uuid,)>(&s.sessions_of, (id,)).await?;
        each(listed, |(session,)| async move {
            db.applied(&s.end_session, (session,)).await?;
            db.write(&s.unlist_session, (id, session)).await
        })
        .await
        .map(drop)
    }

    async fn erase_marks(&self, user: UserId, conversations: &[ConversationId]) -> Result<()> {
        let (db, s, id) = (&self.db, &self.db.statements, raw(user.as_bytes()));
        each(conversations.to_owned(), |of| async move {
            // Above every mark that the log can make again.
            db.write(&s.erase_read_mark, (newest(Seq::MAX), raw(of.as_bytes()), id)).await?;
            db.write(&s.erase_unread_mark, (newest(Seq::MAX), id, raw(of.as_bytes()))).await
        })
        .await?;
        for of in self.reservations(user).await? {
            self.release(of, &[user]).await?;
        }
        Ok(())
    }

    async fn erase_profile(&self, user: UserId) -> Result<()> {
        let (db, s, id) = (&self.db, &self.db.statements, raw(user.as_bytes()));
        self.remove_identities(user).await?;
        self.remove_one_time_tokens(user).await?;
        let Some(named) = accounts::named(db, user).await?.filter(|named| !named.user.is_erased()) else {
            return Ok(());
        };
        // The row last: after a crash it still says which names there are to release.
        names::remove(db, &named.user, named.version).await?;
        accounts::release_names(db, &named.user).await?;
        db.applied(&s.erase_profile, (id,)).await.map(drop)
    }

    async fn erase_texts(&self, conversation: ConversationId, seqs: &[Seq]) -> Result<()> {
        for seq in seqs {
            let found = self.events_from(conversation, *seq, *seq, 1).await?.pop();
            let Some(event) = found.as_ref().and_then(|entry| without_text(&entry.event)) else { continue };
            let (of, at, data) = (raw(conversation.as_bytes()), emptied(*seq), codec::encode(&event));
            let (db, s) = (&self.db, &self.db.statements);
            if let Kind::Edited { target, .. } = event.kind {
                db.write(&s.empty_change, (at, &data, of, bucket(*seq), int(*seq))).await?;
                db.write(&s.empty_edit, (at, &data, of, bucket(target), int(target))).await?;
            } else {
                db.write(&s.empty_post, (at, &data, of, bucket(*seq), int(*seq))).await?;
            }
        }
        Ok(())
    }

    /// It is the cluster's own: compactions.
    async fn overwrite_erased(&self) -> Result<()> {
        Ok(())
    }
}

impl ScyllaStore {
    async fn unlist(&self, user: UserId) -> Result<()> {
        self.db.write(&self.db.statements.close_erasure, (SHARD, raw(user.as_bytes()))).await
    }
}
