//! The file system without its calls: folders and files, and what of them the disk has.
//!
//! It keeps what a journaling file system (ext4, XFS) keeps. Names, and that a file was cut, go into one journal in their order:
//! an fsync of any file writes all of it. The content of a file is there only after an fsync of that file. So a file whose
//! name was written for another one's sake may be empty.

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    ffi::{OsStr, OsString},
    hash::{Hash as _, Hasher as _},
};

use super::content::File;

pub type Number = u64;
pub const ROOT: Number = 1;

type Names = BTreeMap<OsString, Number>;

#[derive(Debug)]
pub enum Node {
    File(File),
    Folder { now: Names, disk: Names },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Missing,
    Exists,
    NotEmpty,
    WrongKind,
    NoRoom,
}

/// Of what was not synced, after a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    Nothing,
    /// The journal, and of each file some pages, by a seed: disks write in any order.
    Some(u64),
}

pub struct Image {
    nodes: BTreeMap<Number, Node>,
    next: Number,
    /// How often each file is open: a file without a name lives as long.
    open: BTreeMap<Number, usize>,
    /// Folders and files with something for the journal.
    journal: BTreeSet<Number>,
    /// Nothing may grow.
    pub full: bool,
}

impl Default for Image {
    fn default() -> Self {
        let root = Node::Folder { now: Names::new(), disk: Names::new() };
        let nodes = BTreeMap::from([(ROOT, root)]);
        Self { nodes, next: ROOT + 1, open: BTreeMap::new(), journal: BTreeSet::new(), full: false }
    }
}

impl Image {
    pub fn node(&self, number: Number) -> Result<&Node, Refused> {
        self.nodes.get(&number).ok_or(Refused::Missing)
    }

    pub fn find(&self, folder: Number, name: &OsStr) -> Result<Number, Refused> {
        self.names(folder)?.get(name).copied().ok_or(Refused::Missing)
    }

    pub fn names(&self, folder: Number) -> Result<&Names, Refused> {
        match self.node(folder)? {
            Node::Folder { now, .. } => Ok(now),
            Node::File(_) => Err(Refused::WrongKind),
        }
    }

    pub fn file(&mut self, number: Number) -> Result<&mut File, Refused> {
        match self.nodes.get_mut(&number) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Folder { .. }) => Err(Refused::WrongKind),
            None => Err(Refused::Missing),
        }
    }

    /// To be changed: the journal has it to write.
    fn names_mut(&mut self, folder: Number) -> Result<&mut Names, Refused> {
        self.journal.insert(folder);
        match self.nodes.get_mut(&folder) {
            Some(Node::Folder { now, .. }) => Ok(now),
            Some(Node::File(_)) => Err(Refused::WrongKind),
            None => Err(Refused::Missing),
        }
    }

    pub fn make(&mut self, folder: Number, name: &OsStr, is_folder: bool) -> Result<Number, Refused> {
        if self.names(folder)?.contains_key(name) {
            return Err(Refused::Exists);
        }
        if self.full {
            return Err(Refused::NoRoom);
        }
        let number = self.next;
        self.next += 1;
        self.names_mut(folder)?.insert(name.to_owned(), number);
        let node = if is_folder {
            Node::Folder { now: Names::new(), disk: Names::new() }
        } else {
            Node::File(File::default())
        };
        self.nodes.insert(number, node);
        Ok(number)
    }

    pub fn remove(&mut self, folder: Number, name: &OsStr) -> Result<(), Refused> {
        let number = self.find(folder, name)?;
        if matches!(self.node(number)?, Node::Folder { now, .. } if !now.is_empty()) {
            return Err(Refused::NotEmpty);
        }
        self.names_mut(folder)?.remove(name);
        Ok(())
    }

    pub fn rename(
        &mut self,
        from: (Number, &OsStr),
        to: (Number, &OsStr),
        keep: bool,
    ) -> Result<(), Refused> {
        let number = self.find(from.0, from.1)?;
        match self.find(to.0, to.1) {
            Ok(there) if there == number => return Ok(()),
            Ok(_) if keep => return Err(Refused::Exists),
            Ok(_) => self.remove(to.0, to.1)?,
            Err(_) => {}
        }
        self.names_mut(from.0)?.remove(from.1);
        self.names_mut(to.0)?.insert(to.1.to_owned(), number);
        Ok(())
    }

    pub fn write(&mut self, number: Number, offset: usize, bytes: &[u8]) -> Result<(), Refused> {
        let full = self.full;
        let file = self.file(number)?;
        if full && file.grows_by(offset, bytes.len()) {
            return Err(Refused::NoRoom);
        }
        file.write(offset, bytes);
        Ok(())
    }

    pub fn resize(&mut self, number: Number, size: usize) -> Result<(), Refused> {
        self.file(number)?.resize(size);
        self.journal.insert(number);
        Ok(())
    }

    pub fn opened(&mut self, number: Number) {
        *self.open.entry(number).or_default() += 1;
    }

    pub fn closed(&mut self, number: Number) {
        if let Some(times) = self.open.get_mut(&number) {
            *times -= 1;
            if *times == 0 {
                self.open.remove(&number);
            }
        }
    }

    /// fsync of a file or a folder.
    pub fn sync(&mut self, number: Number) -> Result<(), Refused> {
        match self.nodes.get_mut(&number) {
            Some(Node::File(file)) => file.sync(),
            Some(Node::Folder { .. }) => {}
            None => return Err(Refused::Missing),
        }
        self.write_journal();
        Ok(())
    }

    /// Everything that was written, as a system writes it by itself after a while.
    pub fn sync_all(&mut self) {
        for node in self.nodes.values_mut() {
            if let Node::File(file) = node {
                file.sync();
            }
        }
        self.write_journal();
    }

    fn write_journal(&mut self) {
        let mut names_went = false;
        for number in std::mem::take(&mut self.journal) {
            match self.nodes.get_mut(&number) {
                Some(Node::File(file)) => file.follow(),
                Some(Node::Folder { now, disk }) => {
                    names_went |= disk.values().any(|number| !now.values().any(|other| other == number));
                    disk.clone_from(now);
                }
                None => {}
            }
        }
        if names_went {
            self.forget_nameless();
        }
    }

    /// The power is gone, and with it whoever had files open.
    pub fn cut_power(&mut self, survives: Survives) {
        if survives != Survives::Nothing {
            self.write_journal();
        }
        self.journal.clear();
        self.open.clear();
        for (number, node) in &mut self.nodes {
            match node {
                Node::File(file) => file.cut_power(|page| survives.page(*number, page)),
                Node::Folder { now, disk } => now.clone_from(disk),
            }
        }
        self.forget_nameless();
    }

    /// Files without a name, now and on the disk, that no one has open.
    fn forget_nameless(&mut self) {
        let folders = self.nodes.values().filter_map(|node| match node {
            Node::Folder { now, disk } => Some(now.values().chain(disk.values())),
            Node::File(_) => None,
        });
        let named: BTreeSet<Number> = folders.flatten().copied().chain([ROOT]).collect();
        let open = &self.open;
        self.nodes.retain(|number, _| named.contains(number) || open.contains_key(number));
    }
}

impl Survives {
    fn page(self, file: Number, page: usize) -> bool {
        let Self::Some(seed) = self else { return false };
        let mut hasher = DefaultHasher::new();
        (seed, file, page).hash(&mut hasher);
        hasher.finish().is_multiple_of(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(image: &mut Image, name: &str) -> Number {
        image.make(ROOT, OsStr::new(name), false).unwrap()
    }

    fn read(image: &mut Image, name: &str) -> Option<Vec<u8>> {
        let number = image.find(ROOT, OsStr::new(name)).ok()?;
        Some(image.file(number).unwrap().read(0, 100))
    }

    #[test]
    fn a_name_is_on_the_disk_after_any_fsync_and_content_after_its_own() {
        let mut image = Image::default();
        let (early, synced) = (made(&mut image, "early"), made(&mut image, "synced"));
        image.write(early, 0, b"early").unwrap();
        image.write(synced, 0, b"synced").unwrap();
        image.sync(synced).unwrap();
        made(&mut image, "late");
        image.cut_power(Survives::Nothing);
        assert_eq!(read(&mut image, "early"), Some(vec![]));
        assert_eq!(read(&mut image, "synced"), Some(b"synced".to_vec()));
        assert_eq!(read(&mut image, "late"), None);
    }

    #[test]
    fn a_file_that_was_renamed_or_removed_without_an_fsync_is_back() {
        let mut image = Image::default();
        let (one, two) = (made(&mut image, "one"), made(&mut image, "two"));
        image.write(one, 0, b"1").unwrap();
        image.sync(one).unwrap();
        image.write(two, 0, b"2").unwrap();
        image.sync(two).unwrap();
        image.rename((ROOT, OsStr::new("one")), (ROOT, OsStr::new("two")), false).unwrap();
        assert_eq!(read(&mut image, "two"), Some(b"1".to_vec()));
        image.remove(ROOT, OsStr::new("two")).unwrap();
        image.cut_power(Survives::Nothing);
        assert_eq!(read(&mut image, "one"), Some(b"1".to_vec()));
        assert_eq!(read(&mut image, "two"), Some(b"2".to_vec()));
    }

    #[test]
    fn a_file_without_a_name_lives_while_it_is_open() {
        let mut image = Image::default();
        let file = made(&mut image, "file");
        image.sync(file).unwrap();
        image.opened(file);
        image.remove(ROOT, OsStr::new("file")).unwrap();
        image.sync(ROOT).unwrap();
        image.write(file, 0, b"still").unwrap();
        image.closed(file);
        let other = made(&mut image, "other");
        image.sync(other).unwrap();
        image.remove(ROOT, OsStr::new("other")).unwrap();
        image.sync(ROOT).unwrap();
        assert!(image.file(file).is_err());
    }

    #[test]
    fn a_full_disk_takes_what_it_has_room_for() {
        let mut image = Image::default();
        let file = made(&mut image, "file");
        image.write(file, 0, b"x").unwrap();
        image.full = true;
        image.write(file, 1, b"in the same page").unwrap();
        assert_eq!(image.write(file, 4096, b"in another"), Err(Refused::NoRoom));
        assert_eq!(image.make(ROOT, OsStr::new("new"), true), Err(Refused::NoRoom));
    }
}
