//! What was made and what was there.

use std::{fmt, ops::AddAssign};

#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    made: usize,
    there: usize,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub users: Count,
    pub conversations: Count,
    pub messages: Count,
    pub edits: Count,
    pub deletions: Count,
    pub reactions: Count,
    pub reads: Count,
}

impl Count {
    pub fn count(&mut self, made: bool) {
        if made {
            self.made += 1;
        } else {
            self.there += 1;
        }
    }
}

impl Tally {
    fn all(&self) -> [(&'static str, Count); 7] {
        [
            ("users", self.users),
            ("conversations", self.conversations),
            ("messages", self.messages),
            ("edits", self.edits),
            ("deletions", self.deletions),
            ("reactions", self.reactions),
            ("read marks", self.reads),
        ]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        let pairs = [
            (&mut self.users, other.users),
            (&mut self.conversations, other.conversations),
            (&mut self.messages, other.messages),
            (&mut self.edits, other.edits),
            (&mut self.deletions, other.deletions),
            (&mut self.reactions, other.reactions),
            (&mut self.reads, other.reads),
        ];
        for (sum, more) in pairs {
            sum.made += more.made;
            sum.there += more.there;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>14} {:>9} {:>9}", "", "made", "there")?;
        for (what, Count { made, there }) in self.all() {
            writeln!(f, "{what:>14} {made:>9} {there:>9}")?;
        }
        Ok(())
    }
}
