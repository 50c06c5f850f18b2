//! The table of fields of log lines against the code, and what is printed from it.

mod code; // fields as the code uses them
mod print; // docs/log.schema.json and docs/logs.md

use natter_runtime::logs::{FIELDS, FieldKind};

use crate::files;

#[test]
fn the_table_has_the_fields_of_the_code_and_no_other() {
    let mut used = code::fields();
    used.sort();
    used.dedup();
    let listed: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(used, listed);
}

#[test]
fn fields_do_not_take_the_names_that_every_line_has() {
    for field in FIELDS {
        assert!(!print::EVERY_LINE.iter().any(|(name, ..)| *name == field.name), "{}", field.name);
    }
}

/// What is measured says in what: `…_ms`, `bytes…`, `…seconds`.
#[test]
fn only_durations_are_not_whole_numbers() {
    for field in FIELDS.iter().filter(|field| field.kind == FieldKind::Number) {
        assert!(field.name.ends_with("_ms"), "{}", field.name);
    }
}

#[test]
fn the_schema_is_printed_from_the_table() {
    files::check("docs/log.schema.json", &print::schema());
}

#[test]
fn the_page_of_fields_is_printed_from_the_table() {
    files::check("docs/logs.md", &print::page());
}
