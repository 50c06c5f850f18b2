//! Who is in a conversation, as what, since when.

use std::collections::HashSet;

use async_trait::async_trait;
use natter_schemas::{
    event::{Member, Role, Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
    rpc::Membership,
};
use scylla::value::CqlTimestamp;
use uuid::Uuid;

use super::{
    ScyllaStore,
    cluster::Cluster,
    columns::{self, ABSENT, raw},
    concurrent::each,
    conversations,
};
use crate::{MemberRow, MemberStore, Result, damage};

#[async_trait]
impl MemberStore for ScyllaStore {
    async fn members(&self, id: ConversationId) -> Result<Vec<MemberRow>> {
        list(&self.db, id).await
    }

    async fn membership(&self, conversation: ConversationId, user: UserId) -> Result<Option<Membership>> {
        let key = (raw(conversation.as_bytes()), raw(user.as_bytes()));
        let registers = self.db.first::<MembershipRegisters>(&self.db.statements.member, key);
        let created = conversations::created(&self.db, conversation);
        let (registers, created) = tokio::try_join!(registers, created)?;
        let Some((shape, _)) = created else { return Ok(None) };
        let standing = registers.map(standing).transpose()?.flatten();
        Ok(standing.map(|(role, version)| Membership { conversation, shape, role, version }))
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<Membership>> {
        let rows = membership_rows(&self.db, user).await?;
        let found = each(rows, |row| present(&self.db, row)).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn sharing(
        &self,
        user: UserId,
        others: &[UserId],
        shape: Option<Shape>,
        most: usize,
    ) -> Result<Vec<UserId>> {
        let mine = first_membership_rows(&self.db, user, most).await?;
        let mut left = most - mine.len();
        let mine = each(mine, |row| present(&self.db, row)).await?.into_iter().flatten();
        let mine = mine.filter(|m| shape.is_none_or(|shape| m.shape == shape));
        let mine: HashSet<ConversationId> = mine.map(|m| m.conversation).collect();
        let mut sharing = Vec::new();
        for others in others.chunks(SHARING_AT_ONCE) {
            let part = left / others.len();
            if mine.is_empty() || part == 0 {
                break;
            }
            let rows = each(others.to_owned(), |other| first_membership_rows(&self.db, other, part)).await?;
            for (other, rows) in others.iter().zip(rows) {
                left -= rows.len();
                let shared =
                    |row: &MembershipRow| is_present(row) && mine.contains(&ConversationId::from_uuid(row.0));
                sharing.extend(rows.iter().any(shared).then_some(*other));
            }
        }
        Ok(sharing)
    }
}

/// Conversations the user is in, whatever the role is, also when it cannot be read: as many as the log has.
pub async fn joined(db: &Cluster, user: UserId) -> Result<HashSet<ConversationId>> {
    let rows = membership_rows(db, user).await?;
    Ok(rows.iter().filter(|row| is_present(row)).map(|row| ConversationId::from_uuid(row.0)).collect())
}

/// A membership's registers: seq and role of the newest joining or leaving, seq and role of the newest role change.
type MembershipRegisters = (Option<i64>, Option<i8>, Option<i64>, Option<i8>);

/// The role, `None` for a former member, and the seq of the event that made it so. Nothing when only a role change
/// has arrived: that alone does not make a member.
fn standing(
    (present_seq, present_role, role_seq, role_given): MembershipRegisters,
) -> Result<Option<(Option<Role>, Seq)>> {
    let (Some(present_seq), Some(present_role)) = (present_seq, present_role) else { return Ok(None) };
    let changed = match (role_seq, role_given) {
        (Some(seq), Some(role)) if present_role != ABSENT && seq > present_seq => Some((role, seq)),
        _ => None,
    };
    let (role, seq) = changed.unwrap_or((present_role, present_seq));
    Ok(Some((columns::role(role)?, columns::seq(seq))))
}

async fn list(db: &Cluster, id: ConversationId) -> Result<Vec<MemberRow>> {
    type Row = (
        Uuid,
        Option<i64>,
        Option<i8>,
        Option<i64>,
        Option<CqlTimestamp>,
        Option<i64>,
        Option<i8>,
        Option<i64>,
    );
    let rows: Vec<Row> = db.all(&db.statements.members, (raw(id.as_bytes()),)).await?;
    let mut present = Vec::new();
    for (user, present_seq, present_role, joined_seq, joined_at, role_seq, role_given, read) in rows {
        let registers = (present_seq, present_role, role_seq, role_given);
        let standing = damage::readable_row("members", standing(registers))?.flatten();
        let Some((Some(role), _)) = standing else { continue };
        let member = Member { user: UserId::from_uuid(user), role };
        let joined_at = Timestamp(joined_at.map_or(0, |at| at.0));
        let read = read.map_or(0, columns::seq);
        present.push((joined_seq, MemberRow { member, joined_at, read }));
    }
    present.sort_by_key(|(joined_seq, row)| (*joined_seq, row.member.user));
    Ok(present.into_iter().map(|(_, row)| row).collect())
}

/// Members now, and the sum of what was applied to them: of two counts the one with the higher sum has seen
/// everything that the other has.
pub async fn count(db: &Cluster, id: ConversationId) -> Result<(i32, Seq)> {
    type Row = (Option<i64>, Option<i8>);
    let rows: Vec<Row> = db.all(&db.statements.presences, (raw(id.as_bytes()),)).await?;
    let present = rows.iter().filter(|(_, role)| role.is_some_and(|role| role != ABSENT)).count();
    let seen = rows.iter().filter_map(|(seq, _)| seq.map(columns::seq)).fold(0, Seq::saturating_add);
    Ok((i32::try_from(present).unwrap_or(i32::MAX), seen))
}

/// Users whose memberships are read at once; they share what may still be read.
const SHARING_AT_ONCE: usize = 16;

type MembershipRow = (Uuid, Option<i8>, Option<i64>, Option<i8>, Option<i64>, Option<i8>);

async fn membership_rows(db: &Cluster, user: UserId) -> Result<Vec<MembershipRow>> {
    db.all(&db.statements.memberships, (raw(user.as_bytes()),)).await
}

/// Former memberships included.
async fn first_membership_rows(db: &Cluster, user: UserId, most: usize) -> Result<Vec<MembershipRow>> {
    db.scan(&db.statements.memberships, (raw(user.as_bytes()),), most, |row| Ok(Some(row))).await
}

fn is_present(&(_, _, present_seq, present_role, ..): &MembershipRow) -> bool {
    present_seq.is_some() && present_role.is_some_and(|role| role != ABSENT)
}

/// Nothing for a row that cannot be read: it is left out.
async fn present(db: &Cluster, row: MembershipRow) -> Result<Option<Membership>> {
    Ok(damage::readable_row("memberships", present_of(db, row).await)?.flatten())
}

async fn present_of(
    db: &Cluster,
    (id, shape, present_seq, present_role, role_seq, role_given): MembershipRow,
) -> Result<Option<Membership>> {
    let registers = (present_seq, present_role, role_seq, role_given);
    let Some((Some(role), version)) = standing(registers)? else { return Ok(None) };
    let conversation = ConversationId::from_uuid(id);
    // Only who was added while Created was still on its way has a row without the shape.
    let shape = match shape {
        Some(shape) => Some(columns::shape(shape)?),
        None => conversations::created(db, conversation).await?.map(|(shape, _)| shape),
    };
    Ok(shape.map(|shape| Membership { conversation, shape, role: Some(role), version }))
}
