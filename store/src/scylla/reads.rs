//! Read marks, and what is beyond them.

use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, Seq, UserId},
};
use uuid::Uuid;

use super::{
    buckets::{self, Walk},
    cluster::Cluster,
    columns::{self, int, newest, raw, time},
};
use crate::Result;

/// Forward only; answers where the mark is now.
pub async fn advance(
    db: &Cluster,
    conversation: ConversationId,
    user: UserId,
    seq: Seq,
    at: Timestamp,
) -> Result<Seq> {
    let row = (newest(seq), int(seq), time(at), raw(conversation.as_bytes()), raw(user.as_bytes()));
    db.write(&db.statements.read_up_to, row).await?;
    // A replica that has not heard of it yet cannot make the mark seem further back.
    Ok(mark(db, conversation, user).await?.max(seq))
}

pub async fn mark(db: &Cluster, conversation: ConversationId, user: UserId) -> Result<Seq> {
    let key = (raw(conversation.as_bytes()), raw(user.as_bytes()));
    let row = db.first::<(Option<i64>,)>(&db.statements.read_mark, key).await?;
    Ok(row.and_then(|(read,)| read).map_or(0, columns::seq))
}

pub async fn countable(
    db: &Cluster,
    conversation: ConversationId,
    user: UserId,
    (after, up_to): (Seq, Seq),
    most: usize,
) -> Result<Vec<Seq>> {
    let Some(walk) = Walk::up(conversation, after.checked_add(1), up_to) else { return Ok(Vec::new()) };
    let user = raw(user.as_bytes());
    let countable = move |(seq, author, deletion): (i64, Option<Uuid>, Option<i64>)| {
        let counts = author.is_some_and(|author| author != user) && deletion.is_none();
        Ok(counts.then(|| columns::seq(seq)))
    };
    buckets::walk(db, walk, &[columns::holds::MESSAGES], most, |bucket, most| {
        db.scan(&db.statements.countable_up, walk.range(bucket), most, countable)
    })
    .await
}
