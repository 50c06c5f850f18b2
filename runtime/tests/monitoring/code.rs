//! Reads the sources of the program for the macros that count, and gives them to whoever else reads them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::files::root;

const CRATES: [&str; 9] = ["edge", "natter", "nats", "runtime", "seal", "spans", "store", "tls", "workers"];

pub struct Use {
    pub name: String,
    pub kind: String,
    pub labels: Vec<String>,
}

pub fn uses() -> Vec<Use> {
    let mut found = Vec::new();
    for text in sources() {
        for kind in ["counter", "gauge", "histogram"] {
            found.extend(text.split(&format!("{kind}!(")).skip(1).filter_map(|rest| read(kind, rest)));
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// The text of every source of the program.
pub fn sources() -> Vec<String> {
    let mut paths = Vec::new();
    for name in CRATES {
        list(&root().join(name).join("src"), &mut paths);
    }
    paths.iter().map(|path| fs::read_to_string(path).expect("a source")).collect()
}

/// `"name", "label" => value, …)`: a value may hold parentheses.
fn read(kind: &str, rest: &str) -> Option<Use> {
    let mut depth = 1;
    let end = rest.find(|c| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    })?;
    let arguments = &rest[..end];
    let mut quoted = arguments.split('"').skip(1).step_by(2);
    let name = quoted.next().filter(|name| name.starts_with("natter_"))?.to_owned();
    let labels = arguments.split("=>").map(|before| before.trim_end().trim_end_matches('"'));
    let count = arguments.matches("=>").count();
    let labels =
        labels.take(count).filter_map(|before| before.rsplit('"').next()).map(str::to_owned).collect();
    Some(Use { name, kind: kind.to_owned(), labels })
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            list(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}
