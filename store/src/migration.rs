//! Where a store's schema is against what this program needs.

use natter_schemas::event::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Applied,
    Pending,
    /// Begun and not finished: the next run goes on.
    Partial,
    /// It is not what was applied.
    Changed,
    /// This program does not have it: a newer one has applied it.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub version: u32,
    pub name: String,
    pub state: State,
    pub applied_at: Option<Timestamp>,
}

impl State {
    /// A run has something to do for it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Partial)
    }

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
