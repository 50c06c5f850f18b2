//! What a run created and what it found.

use std::{fmt, ops::AddAssign};

#[derive(Debug, Clone, Copy, Default)]
pub struct Counter {
    created: usize,
    existing: usize,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct SeedReport {
    pub users: Counter,
    pub conversations: Counter,
    pub messages: Counter,
    pub edits: Counter,
    pub deletions: Counter,
    pub reactions: Counter,
    pub reads: Counter,
}

impl Counter {
    pub fn record(&mut self, created: bool) {
        if created {
            self.created += 1;
        } else {
            self.existing += 1;
        }
    }
}

impl SeedReport {
    fn by_name(&self) -> [(&'static str, Counter); 7] {
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

impl AddAssign for SeedReport {
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
            sum.created += more.created;
            sum.existing += more.existing;
        }
    }
}

impl fmt::Display for SeedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>14} {:>9} {:>9}", "", "made", "there")?;
        for (what, Counter { created, existing }) in self.by_name() {
            writeln!(f, "{what:>14} {created:>9} {existing:>9}")?;
        }
        Ok(())
    }
}
