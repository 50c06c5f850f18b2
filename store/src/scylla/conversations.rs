//! A conversation's shape, name and activity; a user's list of conversations.

use async_trait::async_trait;
use natter_schemas::{
    event::{Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
    rpc::{ListCursor, Membership},
};
use scylla::value::CqlTimestamp;

use super::{ScyllaStore, cluster::Cluster, columns, columns::raw, concurrent::each};
use crate::{ConversationRow, ConversationStore, ListedRow, MemberStore, ReadMarkStore, Result};

#[async_trait]
impl ConversationStore for ScyllaStore {
    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationRow>> {
        find(&self.db, id).await
    }

    /// Reads every conversation of the user, because activity is stored with them and not with the membership: a list kept in
    /// order would be written for every member with every message.
    async fn list_conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ListedRow>> {
        let found = each(self.memberships(user).await?, |membership: Membership| async move {
            Ok(find(&self.db, membership.conversation).await?.zip(membership.role))
        });
        let rank = |row: &ConversationRow| (row.last_activity_at, row.id);
        let beyond = |row: &ConversationRow| {
            after.is_none_or(|cursor| rank(row) < (cursor.last_activity_at, cursor.conversation))
        };
        let mut page: Vec<_> = found.await?.into_iter().flatten().filter(|(row, _)| beyond(row)).collect();
        page.sort_by_key(|(row, _)| std::cmp::Reverse(rank(row)));
        page.truncate(limit);
        each(page, |(conversation, role)| async move {
            let read = self.read_mark(conversation.id, user).await?;
            Ok(ListedRow { conversation, role, read })
        })
        .await
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Seq>> {
        each(conversations.to_owned(), |id| async move {
            let row =
                self.db.first::<(Option<i64>,)>(&self.db.statements.head, (raw(id.as_bytes()),)).await?;
            Ok(row.and_then(|(head,)| head).map_or(0, columns::seq))
        })
        .await
    }
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
