use natter_schemas::{event::Timestamp, id::Seq};
use natter_store::Traces;
use serde::{Deserialize, Serialize};

/// In the order in which they are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// What is there.
    Count,
    /// Sessions end; the user is online no more.
    Sessions,
    /// Keys are destroyed, and forgotten by every process.
    Keys,
    /// Texts in clear are deleted for readers, and emptied in the store.
    Texts,
    /// Names and email address.
    Profile,
    /// Groups are left.
    Groups,
    /// Blocks are lifted.
    Blocks,
    /// Read marks, unread marks, reservations.
    Marks,
    /// What erased rows have left in files.
    Files,
    /// Whether there is nothing any more.
    Proof,
}

impl Step {
    pub const ALL: [Self; 10] = [
        Self::Count,
        Self::Sessions,
        Self::Keys,
        Self::Texts,
        Self::Profile,
        Self::Groups,
        Self::Blocks,
        Self::Marks,
        Self::Files,
        Self::Proof,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sessions => "sessions",
            Self::Keys => "keys",
            Self::Texts => "texts",
            Self::Profile => "profile",
            Self::Groups => "groups",
            Self::Blocks => "blocks",
            Self::Marks => "marks",
            Self::Files => "files",
            Self::Proof => "proof",
        }
    }
}

/// What there is of a user, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    pub profiles: u64,
    pub user_keys: u64,
    pub data_keys: u64,
    pub sessions: u64,
    pub groups: u64,
    pub blocks: u64,
    pub marks: u64,
    /// Read marks as they were sent to edges.
    pub published_marks: u64,
    pub reservations: u64,
}

impl Counts {
    pub fn of(traces: Traces, groups: u64, published_marks: u64) -> Self {
        let Traces { profiles, user_keys, data_keys, sessions, blocks, marks, reservations } = traces;
        Self {
            profiles,
            user_keys,
            data_keys,
            sessions,
            groups,
            blocks,
            marks,
            published_marks,
            reservations,
        }
    }

    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Texts of the user in events, counted once each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextCounts {
    /// Sealed: without the keys no one can open them.
    pub sealed: u64,
    /// That were in clear: their messages are deleted, and in the store they are empty.
    pub emptied: u64,
    /// Events of anyone, in conversations of the user, that the store has damaged: whose they are is not known.
    pub unreadable: u64,
}

/// How far an erasure is, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// How often it was begun again because something had come meanwhile.
    pub repeated: u32,
    pub steps: Vec<Step>,
    pub before: Option<Counts>,
    pub texts: TextCounts,
    /// By partition: events up to here were looked at.
    pub scanned: Vec<Seq>,
    /// When the last text in clear was written; the log has it for as long as it has any event.
    pub clear_until: Option<Timestamp>,
    pub after: Option<Counts>,
    pub finished_at: Option<Timestamp>,
}

impl Record {
    /// An empty one is of an erasure that was not begun.
    pub fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        if bytes.is_empty() { Ok(Self::default()) } else { serde_json::from_slice(bytes) }
    }

    /// `None`: all are done.
    pub fn next(&self) -> Option<Step> {
        Step::ALL.into_iter().find(|step| !self.steps.contains(step))
    }

    pub(super) fn passed(&mut self, step: Step) {
        // Whoever begins again has no step done, not even this one.
        if step != Step::Proof || !self.steps.is_empty() {
            self.steps.push(step);
        }
    }

    /// What was there before stays as it was counted first.
    pub(super) fn begin_again(&mut self) {
        self.repeated += 1;
        self.steps = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_each_other_to_the_end() {
        let mut record = Record::read(b"").unwrap();
        for step in Step::ALL {
            assert_eq!(record.next(), Some(step));
            record.passed(step);
            let bytes = serde_json::to_vec(&record).unwrap();
            assert_eq!(Record::read(&bytes).unwrap(), record);
        }
        assert_eq!(record.next(), None);
    }

    #[test]
    fn a_proof_that_failed_begins_again_at_the_first_step() {
        let mut record = Record { steps: Step::ALL[..9].to_vec(), ..Record::default() };
        record.begin_again();
        record.passed(Step::Proof);
        assert_eq!((record.next(), record.repeated), (Some(Step::Count), 1));
    }

    #[test]
    fn a_record_of_a_later_version_is_read() {
        let record = Record::read(br#"{"steps":["count"],"something":1}"#).unwrap();
        assert_eq!(record.next(), Some(Step::Sessions));
    }
}
