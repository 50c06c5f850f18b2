//! What this program has against what the keyspace remembers. Pure.

use super::{
    files::{Migration, SCYLLA},
    records::Record,
};
use crate::{
    Result, StoreError,
    migration::{State, Status, refuse_newer},
};

/// As its file is called; marked when it is for ScyllaDB alone.
pub fn name(folder: &str, name: &str) -> String {
    if folder == SCYLLA { format!("{name} (ScyllaDB)") } else { name.to_owned() }
}

/// By version.
pub fn compare(own: &[Migration], records: &[Record]) -> Vec<Status> {
    let known = own.iter().map(|migration| {
        let record = records.iter().find(|e| (e.folder, e.version) == (migration.folder, migration.version));
        Status {
            version: migration.version,
            name: name(migration.folder, &migration.name),
            state: record.map_or(State::Pending, |record| state(migration, record)),
            applied_at: record.and_then(|record| record.applied_at),
        }
    });
    let newer = records.iter().filter(|record| {
        !own.iter().any(|migration| (record.folder, record.version) == (migration.folder, migration.version))
    });
    let newer = newer.map(|record| Status {
        version: record.version,
        name: name(record.folder, &record.name),
        state: State::Unknown,
        applied_at: record.applied_at,
    });
    let mut all: Vec<Status> = known.chain(newer).collect();
    all.sort_by_key(|status| status.version);
    all
}

fn state(migration: &Migration, record: &Record) -> State {
    let (done, all) = (record.statements_done, migration.statements.len());
    if done > all
        || record.checksum != migration.checksum(done)
        || (record.applied_at.is_some() && done < all)
    {
        State::Changed
    } else if record.applied_at.is_some() {
        State::Applied
    } else {
        State::Partial
    }
}

/// Refuses what cannot be built upon.
pub fn check_consistent(all: &[Status], keyspace: &str) -> Result<()> {
    refuse_newer(all, &format!("keyspace '{keyspace}'"))?;
    match all.iter().find(|status| status.state == State::Changed) {
        Some(changed) => Err(StoreError::Corrupt(format!(
            "migration {} is not what was applied to keyspace '{keyspace}': an applied migration is never edited; \
             add another",
            changed.title()
        ))),
        None => Ok(()),
    }
}

/// Refuses what lacks something.
pub fn check_complete(all: &[Status], keyspace: &str) -> Result<()> {
    let lacking = all.iter().filter(|status| status.state.is_open());
    let lacking: Vec<String> = lacking.map(Status::title).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "keyspace '{keyspace}' lacks {}; run 'natter migrate'",
        lacking.join(", ")
    )))
}
