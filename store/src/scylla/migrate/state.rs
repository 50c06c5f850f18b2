//! What this program has against what the keyspace remembers. Pure.

use super::{
    book::Entry,
    files::{Migration, SCYLLA},
};
use crate::{
    Result, StoreError,
    migration::{State, Status},
};

/// As its file is called; those for ScyllaDB alone say so.
pub fn name(folder: &str, name: &str) -> String {
    if folder == SCYLLA { format!("{name} (ScyllaDB)") } else { name.to_owned() }
}

/// By version.
pub fn compare(own: &[Migration], entries: &[Entry]) -> Vec<Status> {
    let known = own.iter().map(|migration| {
        let entry = entries.iter().find(|e| (e.folder, e.version) == (migration.folder, migration.version));
        Status {
            version: migration.version,
            name: name(migration.folder, &migration.name),
            state: entry.map_or(State::Pending, |entry| state(migration, entry)),
            applied_at: entry.and_then(|entry| entry.applied_at),
        }
    });
    let newer = entries.iter().filter(|entry| {
        !own.iter().any(|migration| (entry.folder, entry.version) == (migration.folder, migration.version))
    });
    let newer = newer.map(|entry| Status {
        version: entry.version,
        name: name(entry.folder, &entry.name),
        state: State::Unknown,
        applied_at: entry.applied_at,
    });
    let mut all: Vec<Status> = known.chain(newer).collect();
    all.sort_by_key(|status| status.version);
    all
}

fn state(migration: &Migration, entry: &Entry) -> State {
    let (done, all) = (entry.statements_done, migration.statements.len());
    if done > all || entry.checksum != migration.checksum(done) || (entry.applied_at.is_some() && done < all)
    {
        State::Changed
    } else if entry.applied_at.is_some() {
        State::Applied
    } else {
        State::Partial
    }
}

/// Refuses what cannot be built upon.
pub fn sound(all: &[Status], keyspace: &str) -> Result<()> {
    if let Some(newer) = all.iter().rfind(|status| status.state == State::Unknown) {
        return Err(StoreError::Corrupt(format!(
            "a newer version of this program has changed keyspace '{keyspace}' (migration {}); start that version \
             or a later one",
            newer.title()
        )));
    }
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
pub fn complete(all: &[Status], keyspace: &str) -> Result<()> {
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
