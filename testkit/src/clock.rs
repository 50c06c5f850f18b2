//! Processes whose clock is wrong: libfaketime answers them what time it is. Only the clock on the wall is wrong; how
//! long something takes they measure as ever.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Folder;

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.deps/faketime/libfaketimeMT.so.1");

/// What libfaketime lacks, in C.
const ADDITION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/clock.c");

/// The clock of one or more processes.
pub struct Clock {
    file: PathBuf,
    /// Compiled.
    addition: PathBuf,
}

impl Clock {
    /// So many seconds ahead of this machine's; negative: behind.
    pub fn ahead(home: &Folder, name: &str, seconds: i64) -> Self {
        assert!(Path::new(LIBRARY).is_file(), "no libfaketime in .deps/faketime: run scripts/fetch-faketime");
        let clock = Self { file: home.file(name), addition: home.file(&format!("{name}.so")) };
        if !clock.addition.exists() {
            clock.compile_addition();
        }
        clock.set(seconds);
        clock
    }

    fn compile_addition(&self) {
        let mut compiler = Command::new("cc");
        let compiled = compiler.args(["-shared", "-fPIC", "-o"]).arg(&self.addition).arg(ADDITION).output();
        let compiled = compiled.expect("the C compiler that builds librdkafka");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    }

    /// From now on; within a second every process sees it.
    pub fn set(&self, seconds: i64) {
        // At once: a process must not read half of it.
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{seconds:+}s\n")).expect("the folder can be written to");
        fs::rename(next, &self.file).expect("the folder can be written to");
    }

    /// For a process to be started.
    pub fn give_to(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", format!("{} {LIBRARY}", self.addition.display()))
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_CACHE_DURATION", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            // Its remedy for an old C library makes every timed wait of a JVM end at once.
            .env("FAKETIME_FORCE_MONOTONIC_FIX", "0");
    }
}
