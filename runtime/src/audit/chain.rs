//! A record as a line. The line ends with the hash of all that stands before it, so that it can be checked by itself;
//! it has the hash of the line before, so that none can be changed, left out or put between others without a trace.

use data_encoding::HEXLOWER;
use natter_schemas::{
    audit::{Act, Entry, Record},
    id::ChainId,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Batch, Line, Origin};

/// `,"hash":"` … `"}`
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const AFTER_HASH: &[u8] = b"\"}";
const HASH: usize = 64;

/// The last record of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub chain: ChainId,
    /// 0: it has none yet.
    pub number: u64,
    hash: Option<String>,
}

impl Head {
    pub fn of_new_chain() -> Self {
        Self { chain: ChainId::fresh(), number: 0, hash: None }
    }

    /// None: it has no record yet.
    pub fn hash(&self) -> Option<&str> {
        self.hash.as_deref()
    }

    fn line(&mut self, entry: &Entry, origin: &Origin) -> Line {
        let record = Record {
            chain: self.chain,
            number: self.number + 1,
            at: entry.at,
            node: &origin.node,
            process: &origin.process,
            act: &entry.act,
            client: entry.client,
            previous: self.hash.as_deref(),
        };
        let mut bytes = serde_json::to_vec(&record).expect("ids, numbers and short texts always encode");
        let hash = HEXLOWER.encode(&Sha256::digest(&bytes));
        bytes.pop();
        bytes.extend([BEFORE_HASH, hash.as_bytes(), AFTER_HASH].concat());
        self.number += 1;
        self.hash = Some(hash);
        Line { chain: self.chain, number: self.number, at: entry.at, bytes }
    }
}

/// The end of what is written already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// None: no record is there that could be followed.
    pub head: Option<Head>,
    /// Bytes after that record that are none.
    pub torn: u64,
    /// Whether the last line has no end.
    pub open: bool,
}

/// The lines of a batch and what they are as bytes.
pub struct Lines {
    pub head: Head,
    /// With the ends of lines.
    pub bytes: Vec<u8>,
    /// Each with the number of bytes up to its end; first, if there is one, the line that names what is missing.
    pub each: Vec<(usize, Line)>,
    /// Whether there is one.
    pub names_loss: bool,
}

impl Lines {
    pub fn after(end: &End, batch: &Batch<'_>) -> Self {
        let head = end.head.clone().unwrap_or_else(Head::of_new_chain);
        let bytes = if end.open { vec![b'\n'] } else { Vec::new() };
        let names_loss = batch.lost > 0 || end.torn > 0;
        let mut lines = Self { head, bytes, each: Vec::new(), names_loss };
        if names_loss {
            let act = Act::Interrupted { lost: batch.lost, torn_bytes: end.torn };
            lines.push(&Entry { at: batch.now, act, client: None }, batch.origin);
        }
        for entry in batch.entries {
            lines.push(entry, batch.origin);
        }
        lines
    }

    fn push(&mut self, entry: &Entry, origin: &Origin) {
        let line = self.head.line(entry, origin);
        self.bytes.extend_from_slice(&line.bytes);
        self.bytes.push(b'\n');
        self.each.push((self.bytes.len(), line));
    }

    /// Those of entries, if all bytes are written.
    pub fn into_entries(self) -> Vec<Line> {
        self.each.into_iter().skip(usize::from(self.names_loss)).map(|(_, line)| line).collect()
    }
}

/// A line that was read, and has the hash of what it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    pub chain: ChainId,
    pub number: u64,
    pub previous: Option<String>,
    pub node: String,
    pub process: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// Of `interrupted`.
    #[serde(default)]
    pub lost: u64,
    /// Of `interrupted`.
    #[serde(default)]
    pub torn_bytes: u64,
    #[serde(skip)]
    pub hash: String,
}

impl Link {
    pub fn head(&self) -> Head {
        Head { chain: self.chain, number: self.number, hash: Some(self.hash.clone()) }
    }

    /// None: not a record, or not as it was written.
    pub fn read(line: &[u8]) -> Option<Self> {
        let rest = line.strip_suffix(AFTER_HASH)?;
        let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(HASH)?)?;
        let mut body = rest.strip_suffix(BEFORE_HASH)?.to_vec();
        body.push(b'}');
        if HEXLOWER.encode(&Sha256::digest(&body)).as_bytes() != hash {
            return None;
        }
        let link: Self = serde_json::from_slice(&body).ok()?;
        Some(Self { hash: String::from_utf8(hash.to_vec()).ok()?, ..link })
    }
}

/// What the last bytes of a log end with; `whole`: there is nothing before them.
pub fn end_of(tail: &[u8], whole: bool) -> End {
    let mut after = tail.len();
    let open = !tail.is_empty() && tail.last() != Some(&b'\n');
    let mut lines = tail.split_inclusive(|byte| *byte == b'\n').rev().peekable();
    while let Some(line) = lines.next() {
        let begins_before = lines.peek().is_none() && !whole;
        let link = Link::read(line.strip_suffix(b"\n").unwrap_or(line)).filter(|_| !begins_before);
        if let Some(link) = link {
            // The end of its own line is no part of what is torn, nor is the one that follows.
            let torn = tail.len() - after - usize::from(!open && after < tail.len());
            return End { head: Some(link.head()), torn: torn as u64, open };
        }
        after -= line.len();
    }
    End { head: None, torn: 0, open }
}
