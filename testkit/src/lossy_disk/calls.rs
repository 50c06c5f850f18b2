//! What the kernel asks of a file system, answered by an [`Image`].

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

pub use fuser::BackgroundSession as Session;
use fuser::{
    FileAttr, FileType, Filesystem, MountOption, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, consts::FOPEN_KEEP_CACHE,
};
use natter_schemas::event::Timestamp;
use nix::{errno::Errno, fcntl::OFlag};
use parking_lot::Mutex;

use super::image::{Image, Node, Number, ROOT, Refused};

/// The kernel need not ask again: nothing changes but by way of it.
const KNOWN_FOR: Duration = Duration::from_hours(1);
/// In pages. No test needs as much; a full one has none.
const ROOM: u64 = 16 << 18;
const GENERATION: u64 = 0;
const LONGEST_NAME: u32 = 255;
const BLOCK: u32 = 4096;

pub fn mount(image: &Arc<Mutex<Image>>, folder: &Path) -> Session {
    let options = [MountOption::FSName("natter-test".to_owned()), MountOption::NoAtime];
    fuser::spawn_mount2(Calls::new(Arc::clone(image)), folder, &options).unwrap_or_else(|error| {
        panic!(
            "this test mounts a file system of its own (/dev/fuse) and may not do so here ({error}); run it as root on Linux"
        )
    })
}

struct Calls {
    image: Arc<Mutex<Image>>,
    /// What a folder had when it was opened, for each that is open.
    listings: BTreeMap<u64, Listing>,
    mounted: SystemTime,
}

type Listing = Vec<(Number, FileType, OsString)>;

impl Calls {
    fn new(image: Arc<Mutex<Image>>) -> Self {
        let mounted = SystemTime::UNIX_EPOCH + Duration::from_millis(Timestamp::now().0.unsigned_abs());
        Self { image, listings: BTreeMap::new(), mounted }
    }

    fn attributes(&self, number: Number, node: &Node) -> FileAttr {
        let (kind, perm, size) = match node {
            Node::File(file) => (FileType::RegularFile, 0o600, file.size() as u64),
            Node::Folder { .. } => (FileType::Directory, 0o700, 0),
        };
        let time = self.mounted;
        FileAttr {
            ino: number,
            size,
            blocks: size.div_ceil(512),
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind,
            perm,
            nlink: 1,
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
            rdev: 0,
            blksize: BLOCK,
            flags: 0,
        }
    }

    fn seen(&self, image: &Image, number: Number) -> Result<FileAttr, Refused> {
        Ok(self.attributes(number, image.node(number)?))
    }

    fn listing(&self, folder: Number) -> Result<Listing, Refused> {
        let image = self.image.lock();
        let entry = |(name, number): (&OsString, &Number)| {
            Ok((*number, self.seen(&image, *number)?.kind, name.clone()))
        };
        let dots = [".", ".."].map(|name| (ROOT, FileType::Directory, OsString::from(name)));
        let named: Result<Vec<_>, Refused> = image.names(folder)?.iter().map(entry).collect();
        Ok(dots.into_iter().chain(named?).collect())
    }
}

/// As the kernel has it.
fn errno(refused: Refused) -> i32 {
    (match refused {
        Refused::Missing => Errno::ENOENT,
        Refused::Exists => Errno::EEXIST,
        Refused::NotEmpty => Errno::ENOTEMPTY,
        Refused::WrongKind => Errno::EINVAL,
        Refused::NoRoom => Errno::ENOSPC,
    }) as i32
}

fn done(result: Result<(), Refused>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(refused) => reply.error(errno(refused)),
    }
}

fn entered(result: Result<FileAttr, Refused>, reply: ReplyEntry) {
    match result {
        Ok(attributes) => reply.entry(&KNOWN_FOR, &attributes, GENERATION),
        Err(refused) => reply.error(errno(refused)),
    }
}

/// No file of a test is longer than memory.
fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Offsets are never below zero.
fn at(offset: i64) -> usize {
    usize::try_from(offset).unwrap_or(0)
}

/// An open file is its number: offsets come with each call.
impl Filesystem for Calls {
    fn lookup(&mut self, _: &Request, parent: u64, name: &OsStr, reply: ReplyEntry) {
        let image = self.image.lock();
        entered(image.find(parent, name).and_then(|number| self.seen(&image, number)), reply);
    }

    fn getattr(&mut self, _: &Request, ino: u64, reply: ReplyAttr) {
        match self.seen(&self.image.lock(), ino) {
            Ok(attributes) => reply.attr(&KNOWN_FOR, &attributes),
            Err(refused) => reply.error(errno(refused)),
        }
    }

    fn setattr(
        &mut self,
        _: &Request,
        ino: u64,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        length: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<u64>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<u32>,
        reply: ReplyAttr,
    ) {
        let mut image = self.image.lock();
        let resized = length.map_or(Ok(()), |length| image.resize(ino, size(length)));
        match resized.and_then(|()| self.seen(&image, ino)) {
            Ok(attributes) => reply.attr(&KNOWN_FOR, &attributes),
            Err(refused) => reply.error(errno(refused)),
        }
    }

    fn mkdir(&mut self, _: &Request, parent: u64, name: &OsStr, _mode: u32, _umask: u32, reply: ReplyEntry) {
        let mut image = self.image.lock();
        let made = image.make(parent, name, true);
        entered(made.and_then(|number| self.seen(&image, number)), reply);
    }

    fn create(
        &mut self,
        _: &Request,
        parent: u64,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let mut image = self.image.lock();
        let made = image.make(parent, name, false);
        match made.and_then(|number| self.seen(&image, number)) {
            Ok(attributes) => {
                image.opened(attributes.ino);
                let handle = attributes.ino;
                reply.created(&KNOWN_FOR, &attributes, GENERATION, handle, FOPEN_KEEP_CACHE);
            }
            Err(refused) => reply.error(errno(refused)),
        }
    }

    fn unlink(&mut self, _: &Request, parent: u64, name: &OsStr, reply: ReplyEmpty) {
        done(self.image.lock().remove(parent, name), reply);
    }

    fn rmdir(&mut self, _: &Request, parent: u64, name: &OsStr, reply: ReplyEmpty) {
        done(self.image.lock().remove(parent, name), reply);
    }

    fn rename(
        &mut self,
        _: &Request,
        parent: u64,
        name: &OsStr,
        newparent: u64,
        newname: &OsStr,
        flags: u32,
        reply: ReplyEmpty,
    ) {
        // The only flag that servers use: never over what is there.
        let keep = flags != 0;
        done(self.image.lock().rename((parent, name), (newparent, newname), keep), reply);
    }

    fn open(&mut self, _: &Request, ino: u64, _flags: i32, reply: ReplyOpen) {
        self.image.lock().opened(ino);
        reply.opened(ino, FOPEN_KEEP_CACHE);
    }

    fn release(
        &mut self,
        _: &Request,
        ino: u64,
        _fh: u64,
        _flags: i32,
        _lock_owner: Option<u64>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.image.lock().closed(ino);
        reply.ok();
    }

    fn read(
        &mut self,
        _: &Request,
        ino: u64,
        _fh: u64,
        offset: i64,
        length: u32,
        _flags: i32,
        _lock_owner: Option<u64>,
        reply: ReplyData,
    ) {
        match self.image.lock().file(ino) {
            Ok(file) => reply.data(&file.read(at(offset), length as usize)),
            Err(refused) => reply.error(errno(refused)),
        }
    }

    fn write(
        &mut self,
        _: &Request,
        ino: u64,
        _fh: u64,
        offset: i64,
        data: &[u8],
        _write_flags: u32,
        flags: i32,
        _lock_owner: Option<u64>,
        reply: ReplyWrite,
    ) {
        let mut image = self.image.lock();
        let mut written = image.write(ino, at(offset), data);
        if OFlag::from_bits_truncate(flags).intersects(OFlag::O_DSYNC | OFlag::O_SYNC) {
            written = written.and_then(|()| image.sync(ino));
        }
        match written {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(refused) => reply.error(errno(refused)),
        }
    }

    fn flush(&mut self, _: &Request, _ino: u64, _fh: u64, _owner: u64, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&mut self, _: &Request, ino: u64, _fh: u64, _datasync: bool, reply: ReplyEmpty) {
        done(self.image.lock().sync(ino), reply);
    }

    fn fsyncdir(&mut self, _: &Request, ino: u64, _fh: u64, _datasync: bool, reply: ReplyEmpty) {
        done(self.image.lock().sync(ino), reply);
    }

    fn opendir(&mut self, _: &Request, ino: u64, _flags: i32, reply: ReplyOpen) {
        match self.listing(ino) {
            Ok(listing) => {
                let handle = self.listings.last_key_value().map_or(1, |(last, _)| last + 1);
                self.listings.insert(handle, listing);
                reply.opened(handle, 0);
            }
            Err(refused) => reply.error(errno(refused)),
        }
    }

    fn readdir(&mut self, _: &Request, _ino: u64, fh: u64, offset: i64, mut reply: ReplyDirectory) {
        let Some(listing) = self.listings.get(&fh) else { return reply.error(Errno::EINVAL as i32) };
        for ((number, kind, name), next) in listing.iter().zip(1_i64..).skip(at(offset)) {
            if reply.add(*number, next, *kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&mut self, _: &Request, _ino: u64, fh: u64, _flags: i32, reply: ReplyEmpty) {
        self.listings.remove(&fh);
        reply.ok();
    }

    fn statfs(&mut self, _: &Request, _ino: u64, reply: ReplyStatfs) {
        let free = if self.image.lock().full { 0 } else { ROOM };
        reply.statfs(ROOM, free, free, ROOM, free, BLOCK, LONGEST_NAME, BLOCK);
    }
}
