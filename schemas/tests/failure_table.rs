//! The failure table as a document: printed, committed, compared. `UPDATE=1` prints it again.

#![allow(clippy::unwrap_used)]

use std::{collections::HashSet, fmt::Write as _, fs, path::PathBuf};

use natter_schemas::code::Code;

/// What follows the table.
const CLOCKS: &str = r#"
## Where a clock decides

The clocks of edges, workers and the store decide nothing ("Time" in [architecture.md](architecture.md)). That of the nats-server
which leads a stream does, in two ways:

- An id counts as a repeat within the stream's duplicate window, 5 minutes. If this clock jumps ahead by more, a message that is
  sent again just then, by the edge itself or under a client id with a recent prefix, is stored twice under one id; a client that
  keeps one message per id shows it once. Messages under other client ids are looked up in the history.
- Events leave the log after a week, and those of `CONTROL` after an hour, which no access token outlives. If this clock jumps
  ahead by more, they are gone at once, and so are all tokens: the store has what was persisted by then.

If it jumps back, ids and events are known for longer, and the time of new events stands still until the clock has caught up.
"#;

fn page() -> String {
    let mut page = String::from(
        "# Failures\n\n\
         Every error a client can receive, generated from `schemas/src/code.rs` \
         (`UPDATE=1 cargo test -p natter-schemas --test failure_table`).\n\n\
         Over HTTP an error is `application/problem+json` with this `status`, `title` and `code`; on a socket it is an\n\
         `error` frame with this `code`. If the row has a close code, the socket closes after it.\n\n\
         | code | HTTP status | close code | title | what a client does |\n|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let row = code.row();
        let close = row.close.map_or_else(|| "—".to_owned(), |close| close.to_string());
        let _ = writeln!(
            page,
            "| `{}` | {} | {close} | {} | {} |",
            row.name,
            row.status,
            row.title,
            row.advice.text()
        );
    }
    page + CLOCKS
}

#[test]
fn the_printed_table_is_the_table() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/failures.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, page(), "docs/failures.md is not the table: print it again with UPDATE=1");
}

#[test]
fn every_status_is_an_http_error_and_every_title_is_a_phrase() {
    for code in Code::ALL {
        let row = code.row();
        assert!((400..=599).contains(&row.status), "{code}");
        assert!(!row.title.is_empty() && !row.title.ends_with('.'), "{code}");
        assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
    }
}

#[test]
fn no_two_failures_share_a_close_code_unless_the_client_does_the_same() {
    for a in Code::ALL {
        for b in Code::ALL {
            let (a, b) = (a.row(), b.row());
            assert!(
                a.close.is_none() || a.close != b.close || a.advice == b.advice,
                "{} and {}",
                a.name,
                b.name
            );
        }
    }
}

#[test]
fn a_name_used_twice_means_the_same_over_http() {
    let mut seen = HashSet::new();
    for code in Code::ALL.iter().filter(|code| !seen.insert(code.name())) {
        let first = Code::ALL.iter().find(|other| other.name() == code.name()).unwrap();
        assert_eq!(first.row().status, code.row().status, "{code}");
    }
}
