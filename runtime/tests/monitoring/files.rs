use std::{fs, path::PathBuf};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares a file of the repository with what is printed now; with `UPDATE` set, writes it.
pub fn check(path: &str, printed: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(&file, printed).expect("a file");
    }
    let stored = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        stored == printed,
        "{path} is not what is printed: UPDATE=1 cargo test -p natter-runtime --test monitoring"
    );
}
