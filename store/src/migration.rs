//! Where a store's schema is against what this program needs.

use natter_schemas::event::Timestamp;

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

impl Status {
    /// As its file is called.
    pub fn title(&self) -> String {
        format!("{:04}_{}", self.version, self.name)
    }
}
