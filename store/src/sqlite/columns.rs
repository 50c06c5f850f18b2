//! Domain values as SQLite's. Ids are blobs of 16 bytes, times milliseconds, seqs and counts signed integers.

use natter_schemas::{
    event::{Event, Kind, LogEntry, Role, Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
};
use rusqlite::{Error, Result, Row, Rows};

use crate::damage;

/// Seqs of a real log stay far below 2⁶³; one that a client invented above it names nothing either way.
pub fn int(seq: Seq) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub fn seq(row: &Row<'_>, column: usize) -> Result<Seq> {
    row.get::<_, i64>(column).map(|n| Seq::try_from(n).unwrap_or(0))
}

pub fn time(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    row.get(column).map(Timestamp)
}

pub fn user(row: &Row<'_>, column: usize) -> Result<UserId> {
    row.get(column).map(UserId::from_bytes)
}

pub fn conversation(row: &Row<'_>, column: usize) -> Result<ConversationId> {
    row.get(column).map(ConversationId::from_bytes)
}

pub fn of_role(role: Role) -> i64 {
    match role {
        Role::Member => 1,
        Role::Admin => 2,
        Role::Owner => 3,
    }
}

pub fn role(row: &Row<'_>, column: usize) -> Result<Option<Role>> {
    match row.get::<_, Option<i64>>(column)? {
        None => Ok(None),
        Some(1) => Ok(Some(Role::Member)),
        Some(2) => Ok(Some(Role::Admin)),
        Some(3) => Ok(Some(Role::Owner)),
        Some(other) => Err(Error::IntegralValueOutOfRange(column, other)),
    }
}

pub fn of_shape(shape: Shape) -> i64 {
    match shape {
        Shape::Direct => 1,
        Shape::Group => 2,
    }
}

pub fn shape(row: &Row<'_>, column: usize) -> Result<Shape> {
    match row.get(column)? {
        1 => Ok(Shape::Direct),
        2 => Ok(Shape::Group),
        other => Err(Error::IntegralValueOutOfRange(column, other)),
    }
}

/// `changes.kind`: what queries distinguish.
pub mod kind {
    pub const OTHER: i64 = 0;
    pub const POSTED: i64 = 1;
    pub const EDITED: i64 = 2;
    pub const DELETED: i64 = 3;
    pub const REACTED: i64 = 4;
}

/// `changes.kind` and `changes.target`.
pub fn of_kind(of: &Kind) -> (i64, Option<i64>) {
    match of {
        Kind::Posted { .. } => (kind::POSTED, None),
        Kind::Edited { target, .. } => (kind::EDITED, Some(int(*target))),
        Kind::Deleted { target } => (kind::DELETED, Some(int(*target))),
        Kind::Reacted { target, .. } => (kind::REACTED, Some(int(*target))),
        Kind::MemberAdded { .. }
        | Kind::MemberRemoved { .. }
        | Kind::RoleChanged { .. }
        | Kind::Renamed { .. }
        | Kind::Created { .. } => (kind::OTHER, None),
    }
}

/// Those of the rows that can be read.
pub fn readable<T>(
    list: &'static str,
    mut rows: Rows<'_>,
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> crate::Result<Vec<T>> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(item) => found.push(item),
            Err(
                error @ (Error::IntegralValueOutOfRange(..)
                | Error::InvalidColumnType(..)
                | Error::FromSqlConversionFailure(..)),
            ) => damage::report_row(list, error),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Of a query that selects seq and data.
pub fn logged(row: &Row<'_>) -> crate::Result<LogEntry> {
    Ok(LogEntry { seq: seq(row, 0)?, event: event(row, 1)? })
}

fn event(row: &Row<'_>, column: usize) -> crate::Result<Event> {
    let data = row.get_ref(column)?.as_blob().map_err(Error::from)?;
    Ok(natter_schemas::codec::decode(data)?)
}
