//! A file at whose end several processes of a host write: each locks it for as long as a batch takes, and goes on from
//! the record that is the last one then. Whoever renames it lets the chain go on in a new file.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    Appended, Batch,
    chain::{End, Head, Lines, end_of},
};

/// A record has less than 2 KiB: the last one is in so many bytes.
const TAIL: u64 = 16 * 1024;
/// How often a file may be renamed while it is being opened.
const RENAMED: usize = 8;

pub struct AuditFile {
    path: PathBuf,
    open: Option<Open>,
    /// What goes on in the next file.
    carried: Option<Head>,
}

struct Open {
    file: File,
    /// As far as this process has seen it.
    len: u64,
    end: End,
}

impl AuditFile {
    /// Makes it if it is not there. A disk that is full now may have room later.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        let mut made = Self { path, open: None, carried: None };
        match made.open() {
            Ok(open) => made.open = Some(open),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {}
            Err(error) => return Err(error),
        }
        Ok(made)
    }

    pub fn append(&mut self, batch: &Batch<'_>) -> Appended {
        let mut open = match self.lock() {
            Ok(open) => open,
            Err(error) => return Appended::nothing(error),
        };
        let appended = open.append(batch);
        if appended.failure.is_none() {
            self.carried = None;
        }
        match open.file.unlock() {
            Ok(()) => self.open = Some(open),
            // It is unlocked when it is closed.
            Err(_) => drop(open),
        }
        appended
    }

    /// The file that has the name now, locked and read to its end.
    fn lock(&mut self) -> io::Result<Open> {
        for _ in 0..RENAMED {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.open()?,
            };
            open.file.lock()?;
            open.look(self.carried.as_ref())?;
            if is_at(&open.file, &self.path)? {
                return Ok(open);
            }
            self.carried = open.end.head;
        }
        Err(io::Error::other("it is renamed again and again"))
    }

    fn open(&self) -> io::Result<Open> {
        let file = File::options().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        // Of what length it is, is seen when it is locked.
        Ok(Open { file, len: u64::MAX, end: End::default() })
    }
}

impl Open {
    /// Another process may have written since.
    fn look(&mut self, carried: Option<&Head>) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        if len == self.len {
            return Ok(());
        }
        let from = len.saturating_sub(TAIL);
        self.file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        (&self.file).take(TAIL).read_to_end(&mut tail)?;
        self.end = end_of(&tail, from == 0);
        if len == 0 {
            self.end.head = carried.cloned();
        }
        self.len = len;
        Ok(())
    }

    fn append(&mut self, batch: &Batch<'_>) -> Appended {
        let lines = Lines::after(&self.end, batch);
        let before = self.len;
        // Looked at again next time, unless all goes well.
        self.len = u64::MAX;
        let written = self.file.write_all(&lines.bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // A part of it may be there. What remains if this fails, too, is torn.
            let _ = self.file.set_len(before);
            return Appended::nothing(error);
        }
        self.len = before + lines.bytes.len() as u64;
        self.end = End { head: Some(lines.head.clone()), torn: 0, open: false };
        Appended { lost_is_named: true, lines: lines.into_entries(), failure: None }
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Appended {
    pub(super) const fn nothing(error: io::Error) -> Self {
        Self { lines: Vec::new(), lost_is_named: false, failure: Some(error) }
    }
}
