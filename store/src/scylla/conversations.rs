//! A conversation's shape, name and activity; a user's list of conversations.

use std::collections::BTreeMap;

use async_trait::async_trait;
use natter_schemas::{
    event::{Role, Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
    rpc::{ListCursor, Membership},
};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::{ScyllaStore, cluster::Cluster, columns, columns::raw, concurrent::each, read_marks};
use crate::{
    ConversationRow, ConversationStore, ListedRow, MemberStore, ReadMarkStore, ReadPosition, Result, damage,
};

#[async_trait]
impl ConversationStore for ScyllaStore {
    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationRow>> {
        find(&self.db, id).await
    }

    /// Reads the activity of every conversation of the user, because it is stored with them and not with the membership: a
    /// list kept in order would be written for every member with every message. The rest is read of the page alone.
    async fn list_conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ListedRow>> {
        let roles = roles(&self.memberships(user).await?);
        let mut page = activities(&self.db, roles.keys().copied().collect()).await?;
        page.retain(|place| {
            after.is_none_or(|cursor| *place < (cursor.last_activity_at, cursor.conversation))
        });
        page.sort_by_key(|place| std::cmp::Reverse(*place));
        page.truncate(limit);
        let found = each(page, |(activity, id)| {
            let role = roles.get(&id).copied();
            async move {
                let Some((mut conversation, role)) = listed(&self.db, id).await?.zip(role) else {
                    return Ok(None);
                };
                // As it was ranked: the next page goes on from there.
                conversation.last_activity_at = activity;
                let read = self.read_position(id, user).await?;
                Ok(Some(ListedRow { conversation, role, read }))
            }
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn unread(&self, user: UserId, most: usize) -> Result<Vec<(ListedRow, usize)>> {
        let roles = roles(&self.memberships(user).await?);
        let behind = behind(&self.db, roles.keys().copied().collect(), user).await?;
        let found = each(behind, |(id, read)| {
            let role = roles.get(&id).copied();
            async move {
                let unread = self.countable(id, user, read.own().seq, Seq::MAX, most).await?.len();
                if unread == 0 {
                    return Ok(None);
                }
                let Some((conversation, role)) = listed(&self.db, id).await?.zip(role) else {
                    return Ok(None);
                };
                Ok(Some((ListedRow { conversation, role, read }, unread)))
            }
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Seq>> {
        each(conversations.to_owned(), |id| async move {
            let row =
                self.db.first::<(Option<i64>,)>(&self.db.statements.head, (raw(id.as_bytes()),)).await?;
            Ok(row.and_then(|(head,)| head).map_or(0, columns::seq))
        })
        .await
    }

    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        most: usize,
    ) -> Result<Vec<ConversationId>> {
        let s = &self.db.statements;
        let id = |(id,): (Uuid,)| Ok(Some(ConversationId::from_uuid(id)));
        match after {
            None => self.db.scan(&s.conversations, (), most, id).await,
            Some(after) => self.db.scan(&s.conversations_after, (raw(after.as_bytes()),), most, id).await,
        }
    }
}

/// Conversations asked for in one request: each is a partition, which its coordinator asks for by itself.
const AT_ONCE: usize = 25;

fn roles(memberships: &[Membership]) -> BTreeMap<ConversationId, Role> {
    memberships.iter().filter_map(|m| Some((m.conversation, m.role?))).collect()
}

fn chunks(ids: &[ConversationId]) -> Vec<Vec<Uuid>> {
    ids.chunks(AT_ONCE).map(|ids| ids.iter().map(|id| raw(id.as_bytes())).collect()).collect()
}

/// When each was active last; those whose Created has not arrived yet are left out.
async fn activities(db: &Cluster, ids: Vec<ConversationId>) -> Result<Vec<(Timestamp, ConversationId)>> {
    type Row = (Uuid, Option<i64>, Option<CqlTimestamp>);
    let rows =
        each(chunks(&ids), |ids| async move { db.all::<Row>(&db.statements.activities, (ids,)).await });
    let activity = |(id, created, at): Row| {
        created?;
        Some((Timestamp(at.map_or(0, |at| at.0)), ConversationId::from_uuid(id)))
    };
    Ok(rows.await?.into_iter().flatten().filter_map(activity).collect())
}

/// Those whose newest event is above what the user has read, with that.
async fn behind(
    db: &Cluster,
    ids: Vec<ConversationId>,
    user: UserId,
) -> Result<Vec<(ConversationId, ReadPosition)>> {
    type Row = (Uuid, Option<i64>);
    type Unread = (Uuid, Option<(i64, i64, i64)>, Option<i64>);
    let unread = db.all::<Unread>(&db.statements.unread_marks, (raw(user.as_bytes()),)).await?;
    let unread: BTreeMap<Uuid, _> = unread.into_iter().map(|(id, mark, ended)| (id, (mark, ended))).collect();
    let asked = each(chunks(&ids), |ids| async move {
        let s = &db.statements;
        let marks = db.all::<Row>(&s.read_marks, (&ids, raw(user.as_bytes())));
        tokio::try_join!(db.all::<Row>(&s.heads, (&ids,)), marks)
    });
    let mut behind = Vec::new();
    for (heads, marks) in asked.await? {
        let marks: BTreeMap<Uuid, Seq> =
            marks.into_iter().map(|(id, read)| (id, read.map_or(0, columns::seq))).collect();
        for (id, head) in heads {
            let read = marks.get(&id).copied().unwrap_or(0);
            let (mark, ended) = unread.get(&id).copied().unwrap_or_default();
            let read = read_marks::position(read, mark, ended);
            if head.map_or(0, columns::seq) > read.own().seq {
                behind.push((ConversationId::from_uuid(id), read));
            }
        }
    }
    Ok(behind)
}

/// For a list, which goes without a row that cannot be read.
async fn listed(db: &Cluster, id: ConversationId) -> Result<Option<ConversationRow>> {
    Ok(damage::readable_row("conversations", find(db, id).await)?.flatten())
}

/// `None`: unknown, or its Created has not arrived yet.
async fn find(db: &Cluster, id: ConversationId) -> Result<Option<ConversationRow>> {
    type Row = (
        Option<i8>,
        Option<i64>,
        Option<CqlTimestamp>,
        Option<String>,
        Option<i64>,
        Option<CqlTimestamp>,
        Option<i32>,
    );
    let row = db.first::<Row>(&db.statements.conversation, (raw(id.as_bytes()),)).await?;
    let Some((Some(shape), Some(_created), created_at, name, head, last_activity_at, members)) = row else {
        return Ok(None);
    };
    let time = |at: Option<CqlTimestamp>| Timestamp(at.map_or(0, |at| at.0));
    Ok(Some(ConversationRow {
        id,
        shape: columns::shape(shape)?,
        name,
        created_at: time(created_at),
        members: members.and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
        head: head.map_or(0, columns::seq),
        last_activity_at: time(last_activity_at),
    }))
}

/// Its shape and the seq of its Created, once that has arrived.
pub async fn created(db: &Cluster, id: ConversationId) -> Result<Option<(Shape, Seq)>> {
    type Row = (Option<i8>, Option<i64>);
    let row = db.first::<Row>(&db.statements.shape, (raw(id.as_bytes()),)).await?;
    let Some((Some(shape), Some(seq))) = row else { return Ok(None) };
    Ok(Some((columns::shape(shape)?, columns::seq(seq))))
}
