//! Where a store's schema is against what this program needs.

use natter_schemas::event::Timestamp;
use tracing::info;

use crate::{Result, StoreError};

/// Of one migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Applied as this program has it.
    Applied,
    /// Not applied yet.
    Pending,
    /// Begun and not finished: the next run continues it.
    Partial,
    /// Its file differs from what was applied.
    Changed,
    /// This program does not have it: a newer one has applied it.
    Unknown,
}

/// A migration and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The number its file begins with.
    pub version: u32,
    /// The rest of the file's name.
    pub name: String,
    /// Against this program's file of that number.
    pub state: State,
    /// `None`: not applied, or not completely.
    pub applied_at: Option<Timestamp>,
}

impl State {
    /// A run has something to do for it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Partial)
    }

    /// As `natter migrate --status` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Partial => "partial",
            Self::Changed => "changed since it was applied",
            Self::Unknown => "of a newer version",
        }
    }
}

/// Refuses a store that a newer program has migrated, unless this one can still work on it: each migration that it does not
/// have then ends in `_since_` and the number of the newest one that a program must have, as in `0014_notes_since_0012`.
pub(crate) fn refuse_newer(all: &[Status], what: &str) -> Result<()> {
    let newest =
        all.iter().filter(|status| status.state != State::Unknown).map(|status| status.version).max();
    let mut newer = all.iter().filter(|status| status.state == State::Unknown).peekable();
    let Some(first) = newer.peek().map(|status| status.title()) else { return Ok(()) };
    match newer.rfind(|status| status.since().is_none_or(|since| newest < Some(since))) {
        Some(status) => Err(StoreError::Corrupt(format!(
            "a newer version of this program has changed {what} (migration {}); start that version or a later one",
            status.title()
        ))),
        None => {
            info!(
                migration = first,
                "a newer version of this program has migrated the store; this one works on it"
            );
            Ok(())
        }
    }
}

impl Status {
    fn since(&self) -> Option<u32> {
        let name = self.name.strip_suffix(" (ScyllaDB)").unwrap_or(&self.name);
        name.rsplit_once("_since_")?.1.parse().ok()
    }

    /// As its file is called.
    pub fn title(&self) -> String {
        format!("{:04}_{}", self.version, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_migration_is_refused_unless_it_says_that_this_program_is_new_enough() {
        let status =
            |version, name: &str, state| Status { version, name: name.to_owned(), state, applied_at: None };
        let own = [status(11, "a", State::Applied), status(12, "b", State::Applied)];
        let with = |names: &[&str]| {
            let newer = names.iter().zip(13..).map(|(name, version)| status(version, name, State::Unknown));
            let all: Vec<Status> = own.iter().cloned().chain(newer).collect();
            refuse_newer(&all, "it").map_err(|why| why.to_string())
        };
        for names in [&[][..], &["c_since_0012"], &["c_since_0011", "d_since_0012 (ScyllaDB)"]] {
            assert_eq!(with(names), Ok(()), "{names:?}");
        }
        for (names, named) in [
            (&["c"][..], "0013_c"),
            (&["c_since_"], "0013_c_since_"),
            (&["c_since_0013"], "0013_c_since_0013"),
            (&["c_since_0012", "d_since_0013", "e_since_0012"], "0014_d_since_0013"),
        ] {
            let why = with(names).expect_err(named);
            assert!(why.contains(&format!("(migration {named});")), "{why}");
        }
    }
}
