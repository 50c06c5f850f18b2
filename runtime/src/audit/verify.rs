//! Whether records are whole: each has its own hash, the hash of the one before, and the next number. Streamed: of each
//! chain only the last record is kept.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    io::{self, BufRead, Read},
};

use natter_schemas::{id::ChainId, limits};

use super::chain::{Head, Link};

/// Where a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    /// From 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The first thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("{0}: this line is not a record as it was written: changed, or damaged")]
    Line(Place),
    #[error("{at}: records {from} to {to} of chain {chain} are missing before this one")]
    Missing { at: Place, chain: ChainId, from: u64, to: u64 },
    #[error("{at}: record {number} of chain {chain} comes after record {after}: repeated, or not in order")]
    Repeated { at: Place, chain: ChainId, number: u64, after: u64 },
    #[error(
        "{at}: record {number} of chain {chain} does not follow the one before it: one of them was replaced"
    )]
    Replaced { at: Place, chain: ChainId, number: u64 },
    #[error("{0}: there are more than {max} chains", max = limits::AUDIT_CHAINS)]
    Chains(Place),
    #[error("{0} cannot be read: {1}")]
    Read(String, io::Error),
}

/// What the chain itself says is missing, and what files do not reach back to. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Earlier records are not in these files.
    BeginsLater { at: Place, chain: ChainId, number: u64 },
    /// Written by whoever came after.
    Interrupted { at: Place, lost: u64, torn_bytes: u64 },
    /// The last line of a file.
    Unfinished { at: Place, bytes: u64 },
    /// It started and did not stop.
    Killed { at: Place, node: String, process: String },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeginsLater { at, chain, number } => {
                write!(
                    f,
                    "{at}: chain {chain} begins with record {number} here: earlier ones are not in these files"
                )
            }
            Self::Interrupted { at, lost, torn_bytes: 0 } => {
                write!(f, "{at}: {lost} records before this one could not be written")
            }
            Self::Interrupted { at, lost: 0, torn_bytes } => {
                write!(f, "{at}: the line before has {torn_bytes} bytes of a record that was not finished")
            }
            Self::Interrupted { at, lost, torn_bytes } => write!(
                f,
                "{at}: {lost} records before this one could not be written, and the line before has {torn_bytes} bytes of one \
                 that was not finished"
            ),
            Self::Unfinished { at, bytes } => {
                write!(
                    f,
                    "{at}: {bytes} bytes of a record that is not finished: it is being written, or its process was killed"
                )
            }
            Self::Killed { at, node, process } => {
                write!(f, "{at}: {process} on {node} started here and did not stop: it runs, or was killed")
            }
        }
    }
}

/// What was found of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub chain: ChainId,
    pub first: u64,
    pub last: u64,
    /// Of the last record.
    pub hash: String,
}

struct Chain {
    first: u64,
    last: Head,
    /// Processes that have started.
    running: HashMap<(String, String), Place>,
}

/// Lines that are no records, until the next record says whether they are unfinished ones.
struct Unread {
    first: Place,
    bytes: u64,
    /// Whether the last one has its end.
    ended: bool,
}

/// Reads files in the order in which they were written.
pub struct Verifier<N> {
    chains: BTreeMap<ChainId, Chain>,
    note: N,
    records: u64,
    /// A hash that has to be found.
    expected: Option<String>,
}

impl<N: FnMut(Note)> Verifier<N> {
    /// `note` is called for what is no fault.
    pub fn new(expected: Option<String>, note: N) -> Self {
        Self { chains: BTreeMap::new(), note, records: 0, expected }
    }

    pub fn file(&mut self, name: &str, mut lines: impl BufRead) -> Result<(), Broken> {
        let mut unread: Option<Unread> = None;
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let most = limits::AUDIT_LINE as u64 + 1;
            let read = lines.by_ref().take(most).read_until(b'\n', &mut line);
            if read.map_err(|error| Broken::Read(name.to_owned(), error))? == 0 {
                break;
            }
            let at = Place { file: name.to_owned(), line: number };
            let ended = line.pop_if(|byte| *byte == b'\n').is_some();
            match Link::read(&line) {
                Some(link) => self.record(&at, link, unread.take())?,
                None if ended || line.len() < limits::AUDIT_LINE => match &mut unread {
                    Some(unread) => unread.more(line.len(), ended),
                    None => unread = Some(Unread { first: at, bytes: line.len() as u64, ended }),
                },
                None => return Err(Broken::Line(at)),
            }
        }
        match unread {
            Some(Unread { first, bytes, ended: false }) => (self.note)(Note::Unfinished { at: first, bytes }),
            Some(unread) => return Err(Broken::Line(unread.first)),
            None => {}
        }
        Ok(())
    }

    fn record(&mut self, at: &Place, link: Link, unread: Option<Unread>) -> Result<(), Broken> {
        let torn_bytes = if link.kind == "interrupted" { link.torn_bytes } else { 0 };
        match unread {
            Some(unread) if unread.bytes != torn_bytes => return Err(Broken::Line(unread.first)),
            _ => {}
        }
        self.follow(at, &link)?;
        self.records += 1;
        if self.expected.as_deref() == Some(&link.hash) {
            self.expected = None;
        }
        if link.kind == "interrupted" {
            (self.note)(Note::Interrupted { at: at.clone(), lost: link.lost, torn_bytes });
        }
        self.process(at, link);
        Ok(())
    }

    fn follow(&mut self, at: &Place, link: &Link) -> Result<(), Broken> {
        let (at, chain, number) = (at.clone(), link.chain, link.number);
        let Some(known) = self.chains.get_mut(&chain) else {
            if self.chains.len() == limits::AUDIT_CHAINS {
                return Err(Broken::Chains(at));
            }
            match (number, &link.previous) {
                (1, None) => {}
                (0 | 1, _) | (_, None) => return Err(Broken::Replaced { at, chain, number }),
                _ => (self.note)(Note::BeginsLater { at, chain, number }),
            }
            self.chains.insert(chain, Chain { first: number, last: link.head(), running: HashMap::new() });
            return Ok(());
        };
        let after = known.last.number;
        if number <= after {
            return Err(Broken::Repeated { at, chain, number, after });
        }
        if number > after + 1 {
            return Err(Broken::Missing { at, chain, from: after + 1, to: number - 1 });
        }
        if link.previous.as_deref() != known.last.hash() {
            return Err(Broken::Replaced { at, chain, number });
        }
        known.last = link.head();
        Ok(())
    }

    fn process(&mut self, at: &Place, link: Link) {
        let Some(chain) = self.chains.get_mut(&link.chain) else { return };
        let who = (link.node, link.process);
        match link.kind.as_str() {
            "stopped" => drop(chain.running.remove(&who)),
            "started" if chain.running.len() < limits::AUDIT_CHAINS => {
                if let Some(at) = chain.running.insert(who.clone(), at.clone()) {
                    (self.note)(Note::Killed { at, node: who.0, process: who.1 });
                }
            }
            _ => {}
        }
    }

    /// All chains; and the hash that had to be found, if it was not.
    pub fn end(mut self) -> (Vec<Found>, Option<String>) {
        let mut found = Vec::new();
        for (chain, Chain { first, last, running }) in self.chains {
            let mut running: Vec<_> = running.into_iter().collect();
            running.sort_by(|(_, a), (_, b)| (&a.file, a.line).cmp(&(&b.file, b.line)));
            for ((node, process), at) in running {
                (self.note)(Note::Killed { at, node, process });
            }
            let hash = last.hash().unwrap_or_default().to_owned();
            found.push(Found { chain, first, last: last.number, hash });
        }
        (found, self.expected)
    }

    pub const fn records(&self) -> u64 {
        self.records
    }
}

impl Unread {
    fn more(&mut self, bytes: usize, ended: bool) {
        // And the end of the line before.
        self.bytes += bytes as u64 + 1;
        self.ended = ended;
    }
}
