//! What processes of different versions send each other: every call, answer and broadcast, as bytes that never change
//! within a version. `tests/samples/wire` has a file for each version that is still understood.
#![allow(clippy::unwrap_used)]

mod invent;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
};

use natter_schemas::{
    rpc::{self, Call, SeeCall},
    version::WIRE,
};
use serde::{Serialize, de::DeserializeOwned};

use self::invent::{Choice, Inventor};

/// The files, by their version, and what they hash to: bytes that were ever written are written for ever. Lines for what is
/// new may be added to the newest one (`UPDATE=1`), and change its digest here; a line that has to change needs a new version.
const DIGESTS: [(u32, &str); 2] = [
    (0, "2448a2748927b0623e06d3bf0ab0cd916f054cb47b0875ea2afaf36c0c5bc9a6"),
    (1, "8450248ee1c9cdbe1738b6b166614ea1f04264a982aa55104d83e2fc1fb3ec5b"),
];

type Check = fn(&[u8]) -> Result<Vec<u8>, postcard::Error>;

/// Every type between processes: how bytes of it are read and written again, and its samples by name.
#[derive(Default)]
struct Wire {
    checks: BTreeMap<String, Check>,
    samples: BTreeMap<String, Vec<u8>>,
}

fn again<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<Vec<u8>, postcard::Error> {
    let (value, left) = postcard::take_from_bytes::<T>(bytes)?;
    if left.is_empty() { postcard::to_allocvec(&value) } else { Err(postcard::Error::SerdeDeCustom) }
}

impl Wire {
    fn of_this_program() -> Self {
        let mut wire = Self::default();
        rpc::each_call(&mut wire);
        wire.add::<Result<(), rpc::RpcError>>("outcome");
        wire.add::<rpc::Control>("control");
        wire.add::<rpc::ReadMark>("read-mark");
        wire.add::<rpc::Typing>("typing");
        wire.add::<rpc::PresenceChange>("presence");
        wire
    }

    /// A sample with the first variant of each enum, and for every other variant one that has it.
    fn add<T: Serialize + DeserializeOwned>(&mut self, name: &str) {
        self.checks.insert(name.to_owned(), again::<T>);
        let (mut open, mut done) = (vec![BTreeSet::new()], BTreeSet::<Choice>::new());
        while let Some(wanted) = open.pop() {
            let mut inventor = Inventor::with(&wanted);
            let bytes = postcard::to_allocvec(&inventor.invent::<T>()).unwrap();
            let choices = wanted.iter().fold(String::new(), |mut text, (of, variant)| {
                let _ = write!(text, " {of}={variant}");
                text
            });
            self.samples.insert(format!("{name}{choices}"), bytes);
            for choice in inventor.met {
                if !wanted.iter().any(|(of, _)| *of == choice.0) && done.insert(choice) {
                    let mut more = wanted.clone();
                    more.insert(choice);
                    open.push(more);
                }
            }
        }
    }

    fn is(&self, sample: &str) -> Option<&Check> {
        self.checks.get(sample.split(' ').next().unwrap())
    }
}

impl SeeCall for Wire {
    fn call<C: Call>(&mut self) {
        let name = format!("{}.{}", C::SERVICE.name(), C::NAME);
        self.add::<C>(&name);
        self.add::<C::Reply>(&format!("{name}.reply"));
    }
}

fn path(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/samples/wire/{version}.txt"))
}

/// One line a sample: its name, a tab, its bytes.
fn read(version: u32) -> BTreeMap<String, Vec<u8>> {
    let text = fs::read_to_string(path(version)).unwrap_or_default();
    let unhex = |hex: &str| {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let lines = text.lines().map(|line| line.split_once('\t').unwrap());
    lines.map(|(name, hex)| (name.to_owned(), unhex(hex))).collect()
}

/// Adds what is new; no run ever changes a line.
fn update(version: u32, wire: &Wire) {
    let mut lines = read(version);
    for (name, bytes) in &wire.samples {
        lines.entry(name.clone()).or_insert_with(|| bytes.clone());
    }
    let text = lines.iter().fold(String::new(), |mut text, (name, bytes)| {
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let _ = writeln!(text, "{name}\t{hex}");
        text
    });
    fs::write(path(version), text).unwrap();
}

#[test]
fn what_is_sent_has_the_bytes_of_its_version() {
    let wire = Wire::of_this_program();
    if std::env::var_os("UPDATE").is_some() {
        update(WIRE.newest(), &wire);
    }
    let golden = read(WIRE.newest());
    for (name, bytes) in &golden {
        let now = wire.samples.get(name);
        assert!(
            now == Some(bytes),
            "{name} is not what version {} says it is: processes of that version cannot read it. Write it as before; or \
             raise WIRE, and keep a way to understand and to be understood by older processes until `oldest` is raised",
            WIRE.newest()
        );
    }
    let new: Vec<_> = wire.samples.keys().filter(|name| !golden.contains_key(*name)).collect();
    assert!(new.is_empty(), "new, to be added with UPDATE=1: {new:?}");
}

#[test]
fn what_older_processes_send_is_read_to_its_last_byte() {
    let wire = Wire::of_this_program();
    for version in WIRE.oldest()..=WIRE.newest() {
        let golden = read(version);
        assert!(!golden.is_empty(), "version {version} has no samples");
        for (name, bytes) in golden {
            let check =
                wire.is(&name).unwrap_or_else(|| panic!("version {version} sends {name}, which is unknown"));
            assert_eq!(check(&bytes).as_ref(), Ok(&bytes), "{name} of version {version}");
        }
    }
}

#[test]
fn bytes_that_were_ever_sent_stay_in_their_file() {
    let all = WIRE.oldest()..=WIRE.newest();
    let kept: Vec<u32> = DIGESTS.iter().map(|(version, _)| *version).collect();
    assert_eq!(kept, all.collect::<Vec<_>>(), "each version that is understood has a digest");
    for (version, expected) in DIGESTS {
        let digest = blake3::hash(&fs::read(path(version)).unwrap()).to_hex();
        assert_eq!(
            digest.as_str(),
            expected,
            "lines of version {version} have changed. If some were added for calls that are new, this is its digest; if any \
             other has changed, put it back and raise WIRE"
        );
    }
}
