use std::{fs, path::PathBuf};

const AGAIN: &str = "UPDATE=1 cargo test -p natter-runtime --test monitoring";

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// As [`check`], whatever the order of keys: that depends on what else is compiled.
pub fn check_json(path: &str, printed: &str) {
    write(path, printed);
    let stored = fs::read_to_string(root().join(path)).unwrap_or_default();
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    assert!(parse(&stored) == parse(printed), "{path} is not what is printed: {AGAIN}");
}

/// Compares a file of the repository with what is printed now; with `UPDATE` set, writes it.
pub fn check(path: &str, printed: &str) {
    write(path, printed);
    let stored = fs::read_to_string(root().join(path)).unwrap_or_default();
    assert!(stored == printed, "{path} is not what is printed: {AGAIN}");
}

fn write(path: &str, printed: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(&file, printed).expect("a file");
    }
}
