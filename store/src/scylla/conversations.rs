//! A conversation's shape, name and activity; a user's list of conversations.

use natter_schemas::{
    event::{Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
    rpc::{ListCursor, Membership},
};
use scylla::value::CqlTimestamp;

use super::{abreast::each, cluster::Cluster, columns, columns::raw, members, reads};
use crate::{ConversationRow, ListedRow, Result};

/// `None`: unknown, or its Created has not arrived yet.
pub async fn find(db: &Cluster, id: ConversationId) -> Result<Option<ConversationRow>> {
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

pub async fn heads(db: &Cluster, ids: &[ConversationId]) -> Result<Vec<Seq>> {
    each(ids.to_owned(), |id| async move {
        let row = db.first::<(Option<i64>,)>(&db.statements.head, (raw(id.as_bytes()),)).await?;
        Ok(row.and_then(|(head,)| head).map_or(0, columns::seq))
    })
    .await
}

/// Reads every conversation of the user, because activity is theirs and not the membership's: a list kept in
/// order would be written for every member with every message.
pub async fn list(
    db: &Cluster,
    user: UserId,
    after: Option<ListCursor>,
    most: usize,
) -> Result<Vec<ListedRow>> {
    let memberships = members::of(db, user).await?;
    let found = each(memberships, |Membership { conversation, role, .. }| async move {
        Ok(find(db, conversation).await?.zip(role))
    });
    let place = |row: &ConversationRow| (row.last_activity_at, row.id);
    let beyond = |row: &ConversationRow| {
        after.is_none_or(|cursor| place(row) < (cursor.last_activity_at, cursor.conversation))
    };
    let mut page: Vec<_> = found.await?.into_iter().flatten().filter(|(row, _)| beyond(row)).collect();
    page.sort_by_key(|(row, _)| std::cmp::Reverse(place(row)));
    page.truncate(most);
    each(page, |(conversation, role)| async move {
        let read = reads::mark(db, conversation.id, user).await?;
        Ok(ListedRow { conversation, role, read })
    })
    .await
}
