//! The rules of the Helm chart, made fast: a minute is two seconds.

use std::{collections::BTreeSet, fs, path::PathBuf};

/// Of `for:` and windows: everything else is as it is delivered.
pub const FASTER: u32 = 30;

pub fn read(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join("k8s/chart/monitoring/rules").join(name)).unwrap()
}

/// With every duration of `for:` and of windows shortened.
pub fn faster(rules: &str) -> String {
    let lines = rules.lines().map(|line| match line.split_once("for: ") {
        Some((before, duration)) if before.trim().is_empty() => {
            format!("{before}for: {}", shortened(duration).unwrap())
        }
        _ => windows(line),
    });
    lines.map(|line| line + "\n").collect()
}

/// `[5m]` wherever it stands.
fn windows(line: &str) -> String {
    let shorter = line.split('[').enumerate().map(|(number, part)| {
        let window = part.split_once(']').and_then(|(window, rest)| Some((shortened(window)?, rest)));
        match window {
            _ if number == 0 => part.to_owned(),
            Some((window, rest)) => format!("[{window}]{rest}"),
            None => format!("[{part}"),
        }
    });
    shorter.collect()
}

fn shortened(duration: &str) -> Option<String> {
    let unit = duration.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return None,
    };
    let number: u32 = duration.strip_suffix(unit)?.parse().ok()?;
    Some(format!("{}ms", number * seconds * 1_000 / FASTER))
}

/// What the rules say that an alert brings.
pub fn implied_by(rules: &str, alert: &str) -> BTreeSet<String> {
    let blocks = rules.split("- alert: ").skip(1);
    let block = blocks.into_iter().find(|block| block.lines().next() == Some(alert));
    let block = block.unwrap_or_else(|| panic!("there is no alert {alert}"));
    let implies = block.lines().find_map(|line| line.trim().strip_prefix("implies: "));
    implies.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn only_windows_and_patience_are_shortened() {
    let rules = "  - alert: A\n    expr: 'x{le=~\"5|5[.]0\"}[5m] > rate5m[1h]'\n    for: 1m\n    summary: 'for: 5m'\n";
    let shorter =
        rules.replace("[5m]", "[10000ms]").replace("[1h]", "[120000ms]").replace("for: 1m", "for: 2000ms");
    assert_eq!(faster(rules), shorter);
}
