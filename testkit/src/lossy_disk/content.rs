//! What is in a file: as its writers see it, and as the disk has it.

use std::{collections::BTreeSet, sync::Arc};

pub const PAGE: usize = 4096;

type Page = Arc<[u8; PAGE]>;

/// Pages that were never written read as zeros.
#[derive(Debug, Clone, Default)]
struct Content {
    pages: Vec<Option<Page>>,
    size: usize,
}

#[derive(Debug, Default)]
pub struct File {
    now: Content,
    disk: Content,
    /// Pages that differ from the disk's.
    unsynced: BTreeSet<usize>,
    /// The least size that it was cut to since the disk last followed: cutting is metadata, and needs no fsync of the file.
    cut_to: Option<usize>,
}

impl Content {
    fn resize(&mut self, size: usize) {
        self.pages.truncate(size.div_ceil(PAGE));
        // What is behind the end reads as zeros when the file grows again.
        if let Some(Some(last)) = self.pages.get_mut(size / PAGE) {
            Arc::make_mut(last)[size % PAGE..].fill(0);
        }
        self.size = size;
    }

    fn set(&mut self, number: usize, page: Option<Page>) {
        if self.pages.len() <= number {
            self.pages.resize(number + 1, None);
        }
        self.pages[number] = page;
    }
}

impl File {
    pub fn size(&self) -> usize {
        self.now.size
    }

    pub fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        let end = offset.saturating_add(length).min(self.now.size);
        let mut bytes = Vec::with_capacity(end.saturating_sub(offset));
        let mut at = offset;
        while at < end {
            let (number, from) = (at / PAGE, at % PAGE);
            let length = (PAGE - from).min(end - at);
            match self.now.pages.get(number) {
                Some(Some(page)) => bytes.extend_from_slice(&page[from..from + length]),
                _ => bytes.resize(bytes.len() + length, 0),
            }
            at += length;
        }
        bytes
    }

    /// Whether the bytes need room that the file does not have yet.
    pub fn grows_by(&self, offset: usize, length: usize) -> bool {
        let mut pages = offset / PAGE..(offset + length).div_ceil(PAGE);
        pages.any(|number| !matches!(self.now.pages.get(number), Some(Some(_))))
    }

    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let (number, from) = (at / PAGE, at % PAGE);
            let (part, later) = rest.split_at((PAGE - from).min(rest.len()));
            let known = self.now.pages.get_mut(number).and_then(Option::take);
            let mut page = known.unwrap_or_else(|| Arc::new([0; PAGE]));
            Arc::make_mut(&mut page)[from..from + part.len()].copy_from_slice(part);
            self.now.set(number, Some(page));
            self.unsynced.insert(number);
            (at, rest) = (at + part.len(), later);
        }
        self.now.size = self.now.size.max(at);
    }

    pub fn resize(&mut self, size: usize) {
        if size < self.now.size {
            self.cut_to = Some(self.cut_to.map_or(size, |least| least.min(size)));
        }
        let (before, last) = (self.now.size, size / PAGE);
        self.now.resize(size);
        self.unsynced.retain(|number| *number < size.div_ceil(PAGE));
        if size < before && !size.is_multiple_of(PAGE) {
            self.unsynced.insert(last);
        }
    }

    /// What came with metadata: that it was cut.
    pub fn follow(&mut self) {
        if let Some(size) = self.cut_to.take().filter(|size| *size < self.disk.size) {
            self.disk.resize(size);
        }
    }

    /// fsync: the disk has all of it.
    pub fn sync(&mut self) {
        self.follow();
        self.disk.pages.truncate(self.now.pages.len());
        for number in std::mem::take(&mut self.unsynced) {
            let page = self.now.pages.get(number).cloned().flatten();
            self.disk.set(number, page);
        }
        self.disk.size = self.now.size;
    }

    /// The power is gone: of what was not synced, the pages are left that `survives` names.
    pub fn cut_power(&mut self, survives: impl Fn(usize) -> bool) {
        for number in std::mem::take(&mut self.unsynced).into_iter().filter(|number| survives(*number)) {
            let page = self.now.pages.get(number).cloned().flatten();
            self.disk.set(number, page);
            self.disk.size = self.disk.size.max(self.now.size.min((number + 1) * PAGE));
        }
        self.cut_to = None;
        self.now = self.disk.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = File::default();
        file.write(0, content);
        file
    }

    #[test]
    fn what_was_not_synced_is_gone_and_what_was_is_there() {
        let mut file = file(b"kept");
        file.sync();
        file.write(2, b"lost, and more");
        file.write(3 * PAGE, b"far behind");
        file.cut_power(|_| false);
        assert_eq!((file.size(), file.read(0, 100)), (4, b"kept".to_vec()));
    }

    #[test]
    fn pages_survive_one_by_one() {
        let mut file = file(&[1; 3 * PAGE]);
        file.cut_power(|number| number == 1);
        assert_eq!(file.size(), 2 * PAGE);
        assert_eq!(file.read(PAGE - 1, 2), [0, 1]);
    }

    #[test]
    fn a_file_that_was_cut_is_as_short_on_the_disk_once_it_follows() {
        let mut file = file(&[7; PAGE + 10]);
        file.sync();
        file.resize(5);
        file.write(5, b"new");
        file.follow();
        file.cut_power(|_| false);
        assert_eq!(file.read(0, 100), [7; 5]);
        file.resize(PAGE + 1);
        assert_eq!(file.read(4, 3), [7, 0, 0]);
    }

    #[test]
    fn a_write_over_pages_is_read_as_it_was_written() {
        let bytes: Vec<u8> = (0..3 * PAGE).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut file = File::default();
        file.write(100, &bytes);
        assert_eq!(file.read(100, bytes.len() + 50), bytes);
        assert!(!file.grows_by(100, bytes.len()) && file.grows_by(4 * PAGE, 1));
    }
}
