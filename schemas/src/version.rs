//! Which versions of each other processes understand: what a deployment needs while it is upgraded, process by process.

use std::{fmt, str::FromStr};

/// What a process understands of calls and broadcasts between processes: a range of versions. A version's bytes are those of
/// its file in `tests/samples/wire`, and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    oldest: u32,
    newest: u32,
}

/// Of this program. `newest` is raised with any change to what is written, but for what an older process never meets: new
/// calls, which it answers to no one, and new variants that are written only when `oldest` knows them. `oldest` is
/// raised when the last way of reading and writing that version is removed, a release after it was needed.
pub const WIRE: Versions = Versions { oldest: 0, newest: 1 };

impl Versions {
    /// Of a process that does not name any: those before 1 did not.
    pub const UNNAMED: Self = Self { oldest: 0, newest: 0 };

    /// Both included.
    pub const fn new(oldest: u32, newest: u32) -> Self {
        Self { oldest, newest }
    }

    /// The one that is written.
    pub const fn newest(self) -> u32 {
        self.newest
    }

    /// The oldest that is understood.
    pub const fn oldest(self) -> u32 {
        self.oldest
    }

    /// Whether a process of these versions and one of those understand each other.
    pub const fn meet(self, other: Self) -> bool {
        self.oldest <= other.newest && other.oldest <= self.newest
    }
}

/// As in the header of calls and answers: `0-1`.
impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.oldest, self.newest)
    }
}

/// Text that names no range of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected two numbers, such as 0-1")]
pub struct BadVersions;

impl FromStr for Versions {
    type Err = BadVersions;

    fn from_str(text: &str) -> Result<Self, BadVersions> {
        let number = |text: &str| text.parse().map_err(|_| BadVersions);
        let (oldest, newest) = text.split_once('-').ok_or(BadVersions)?;
        let versions = Self { oldest: number(oldest)?, newest: number(newest)? };
        if versions.oldest <= versions.newest { Ok(versions) } else { Err(BadVersions) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_meet_when_each_knows_a_version_of_the_other() {
        let of = |text: &str| text.parse::<Versions>().expect(text);
        for (one, other, meet) in [
            ("0-1", "0-0", true),
            ("0-1", "1-2", true),
            ("0-1", "2-3", false),
            ("2-4", "0-1", false),
            ("2-4", "3-3", true),
        ] {
            assert_eq!((of(one).meet(of(other)), of(other).meet(of(one))), (meet, meet), "{one} and {other}");
            assert_eq!(of(one).to_string(), one);
        }
        for bad in ["", "1", "-1", "2-1", "a-b", "0-4294967296"] {
            assert_eq!(bad.parse::<Versions>(), Err(BadVersions), "{bad}");
        }
    }

    #[test]
    fn this_program_still_meets_the_one_before() {
        assert!(WIRE.meet(Versions::UNNAMED), "remove this with the last support of version 0");
    }
}
