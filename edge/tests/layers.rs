//! Imports go to the same layer or a lower one, and only the upper layers know the whole `App`.

use std::{fs, path::Path};

/// The modules of `edge/src`, lowest layer first. A socket owns its send queue, so `outbound` has both.
const LAYERS: [&[&str]; 6] = [
    &["api_error", "auth", "client_address", "costs", "transport", "through", "turns", "web", "wire"],
    &[
        "admission",
        "client_lines",
        "connections",
        "held_tokens",
        "membership",
        "presence",
        "revoked_sessions",
    ],
    &["outbound"],
    &["inbound", "feeds"],
    &["app", "socket", "upgrade", "rest"],
    &["start", "serve", "lib"],
];
/// The lowest layer that may name `App`.
const BORDER: usize = 4;

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("module '{module}' is in no layer: add it to LAYERS"))
}

/// The modules of `crate::a::…` and `crate::{a::…, b}`.
fn imports(source: &str) -> Vec<String> {
    let word = |text: &str| {
        text.trim_start().split(|c: char| c != '_' && !c.is_alphanumeric()).next().map(str::to_owned)
    };
    let mut modules = Vec::new();
    for path in source.split("crate::").skip(1) {
        let Some(list) = path.strip_prefix('{') else {
            modules.extend(word(path));
            continue;
        };
        let (mut depth, mut starts) = (1, true);
        for (at, c) in list.char_indices() {
            if depth == 1 && starts && c.is_alphabetic() {
                modules.extend(word(&list[at..]));
            }
            starts = depth == 1 && (c == ',' || (starts && c.is_whitespace()));
            depth += i32::from(c == '{') - i32::from(c == '}');
            if depth == 0 {
                break;
            }
        }
    }
    modules
}

fn check(folder: &Path, module: Option<&str>, violations: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("the sources are here") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let own = layer(module.unwrap_or(&stem));
        if path.is_dir() {
            check(&path, Some(module.unwrap_or(&stem)), violations);
            continue;
        }
        let source = fs::read_to_string(&path).expect("text");
        let upward = imports(&source).into_iter().filter(|import| layer(import) > own);
        violations.extend(upward.map(|import| format!("{} imports {import}", path.display())));
        if own < BORDER && source.split(|c: char| !c.is_alphanumeric()).any(|word| word == "App") {
            violations.push(format!("{} names App", path.display()));
        }
    }
}

#[test]
fn imports_go_downwards_and_only_the_border_names_the_app() {
    let mut violations = Vec::new();
    check(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), None, &mut violations);
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn an_import_is_found_in_every_form() {
    let source =
        "use crate::a::B;\nuse crate::{\n    c::{d, e::F},\n    g, h::I,\n};\nfn f(x: crate::j::K) {}";
    assert_eq!(imports(source), ["a", "c", "g", "h", "j"]);
}
