//! Embeds the web client as `make web` left it in `web/dist`: every file with its compressed forms beside it. When it was
//! not built there is no file, and the program says how to build it.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
};

const DIST: &str = "web/dist";

fn main() {
    // The folder is there always: a path that is missing would make cargo build this crate again each time.
    println!("cargo::rerun-if-changed={DIST}");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let mut files = Vec::new();
    collect(&root.join(DIST), "", &mut files);
    // In one order wherever it is built.
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let mut table = fs::File::create(out.join("web.rs")).expect("OUT_DIR can be written");
    writeln!(table, "&[").expect("written");
    for path in files.iter().filter(|path| !is_compressed(path)) {
        let bytes = |suffix: &str| {
            // A copy: the client may be built again while this crate is compiled.
            let file = out.join("web").join(format!("{path}{suffix}"));
            fs::create_dir_all(file.parent().expect("below OUT_DIR")).expect("OUT_DIR can be written");
            fs::copy(root.join(DIST).join(format!("{path}{suffix}")), &file).expect("a file that was listed");
            format!("include_bytes!({:?})", file.to_str().expect("a path in UTF-8"))
        };
        let compressed = |suffix: &str| {
            let there = files.contains(&format!("{path}{suffix}"));
            if there { format!("Some({})", bytes(suffix)) } else { "None".to_owned() }
        };
        let (plain, brotli, gzip) = (bytes(""), compressed(".br"), compressed(".gz"));
        writeln!(table, "Source {{ path: {path:?}, plain: {plain}, brotli: {brotli}, gzip: {gzip} }},")
            .expect("written");
    }
    writeln!(table, "]").expect("written");
}

fn is_compressed(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "br" || extension == "gz")
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().into_string().expect("names that the build chose are text");
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else {
            files.push(path);
        }
    }
}
