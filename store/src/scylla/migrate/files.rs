//! The migrations of this program, compiled in.

use super::split::split;

/// A file of `cql/`. `cql/migrations` is for every server; `cql/scylla` adds what only ScyllaDB understands, each
/// file right after the migration of its number.
struct File {
    folder: &'static str,
    name: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($folder:literal $name:literal,)*) => {
        &[$(File {
            folder: $folder,
            name: $name,
            text: include_str!(concat!("../../../../cql/", $folder, "/", $name, ".cql")),
        }),*]
    };
}

const FILES: &[File] = files![
    "migrations" "0001_accounts",
    "migrations" "0002_log",
    "migrations" "0003_session_credentials",
    "migrations" "0004_user_words",
    "migrations" "0005_unread",
    "migrations" "0006_bounds",
    "migrations" "0007_keys",
    "migrations" "0008_erasures",
    "migrations" "0009_identities",
    "migrations" "0010_one_time_tokens_since_0009",
    "scylla" "0001_compaction",
];

/// The folder that is for every server.
pub const COMMON: &str = "migrations";
/// The folder that is for ScyllaDB alone.
pub const SCYLLA: &str = "scylla";

#[derive(Debug, Clone)]
pub struct Migration {
    pub folder: &'static str,
    pub version: u32,
    pub name: String,
    pub statements: Vec<String>,
}

impl Migration {
    pub fn new(folder: &'static str, file: &str, text: &str) -> Self {
        let (version, name) = file.split_once('_').expect("a test reads every name");
        let version = version.parse().expect("a test reads every name");
        Self { folder, version, name: name.to_owned(), statements: split(text) }
    }

    /// Proves what has been done: the first statements, so that a file that failed half-way may be mended
    /// beyond them.
    pub fn checksum(&self, statements: usize) -> String {
        let mut hash = blake3::Hasher::new();
        for statement in self.statements.iter().take(statements) {
            hash.update(statement.as_bytes());
            hash.update(b";");
        }
        hash.finalize().to_hex().to_string()
    }
}

/// In the order in which they are applied.
pub fn all(on_scylla: bool) -> Vec<Migration> {
    let wanted = FILES.iter().filter(|file| on_scylla || file.folder != SCYLLA);
    let mut all: Vec<_> = wanted.map(|file| Migration::new(file.folder, file.name, file.text)).collect();
    all.sort_by_key(|migration| (migration.version, migration.folder));
    all
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    #[test]
    fn every_file_of_the_folders_is_compiled_in() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cql");
        let mut found = BTreeSet::new();
        for folder in [COMMON, SCYLLA] {
            for entry in root.join(folder).read_dir().into_iter().flatten() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let name = name.strip_suffix(".cql").expect("only .cql files").to_owned();
                found.insert((folder.to_owned(), name));
            }
        }
        let listed: BTreeSet<_> = FILES.iter().map(|f| (f.folder.to_owned(), f.name.to_owned())).collect();
        assert_eq!(listed, found);
    }

    #[test]
    fn names_are_four_digits_and_words_and_each_number_comes_once() {
        let mut seen = BTreeSet::new();
        for migration in all(true) {
            let (folder, version, name) = (migration.folder, migration.version, &migration.name);
            let file = format!("{version:04}_{name}");
            assert!(FILES.iter().any(|f| f.name == file), "{file}");
            assert!(name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')), "{file}");
            assert!(seen.insert((folder, version)), "{file} is not alone");
            assert!(!migration.statements.is_empty(), "{file} is empty");
        }
    }

    /// A statement that a run executed and died before recording is executed again.
    #[test]
    fn statements_can_be_repeated() {
        for migration in all(true) {
            for statement in &migration.statements {
                let words = statement.to_uppercase();
                let guarded = !words.starts_with("CREATE") || words.contains(" IF NOT EXISTS ");
                assert!(guarded, "{}: {statement}", migration.name);
            }
        }
    }
}
