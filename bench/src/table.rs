//! Measurements as a table in Markdown: a column a target with medians and spreads, then Natter's ratios to those
//! that are there to be compared with.

use std::fmt::Write as _;

use crate::results::{Better, Measurement, spread};

/// What Natter is compared with, in the order of the columns.
const COMPARED: [&str; 4] = ["bare", "seed-node", "centrifugo", "nats bench"];

pub fn markdown(measurements: &[Measurement]) -> String {
    let targets = targets(measurements);
    let compared: Vec<&str> =
        COMPARED.into_iter().filter(|name| targets.iter().any(|target| target == name)).collect();
    let ours: Vec<&String> = targets.iter().filter(|target| target.starts_with("natter")).collect();
    let mut text = String::from("| | setting |");
    for target in &targets {
        let _ = write!(text, " {target} |");
    }
    for to in &compared {
        for of in &ours {
            let _ = write!(text, " {} / {to} |", short(of));
        }
    }
    let columns = 2 + targets.len() + compared.len() * ours.len();
    let _ = writeln!(text, "\n|{}", "---|".repeat(columns));
    for measurement in measurements {
        let _ = write!(text, "| {} | {} |", described(measurement), measurement.setting);
        for target in &targets {
            let _ = write!(text, " {} |", cell(measurement, target));
        }
        for to in &compared {
            for of in &ours {
                let ratio = measurement.ratio(of, to).map_or(String::new(), figure);
                let _ = write!(text, " {ratio} |");
            }
        }
        text.push('\n');
    }
    text
}

/// The same for few measurements of many kinds: a line for each that Natter is compared with.
pub fn brief(measurements: &[Measurement]) -> String {
    let mut text = String::from("| | setting | | compared with | ratio |\n|---|---|---|---|---|\n");
    for measurement in measurements {
        let has = |name: &str| measurement.values.contains_key(name);
        for of in measurement.values.keys().filter(|target| target.starts_with("natter")) {
            let mut line = |compared_with: &str, ratio: &str| {
                let (what, setting) = (described(measurement), &measurement.setting);
                let _ = writeln!(
                    text,
                    "| {what} | {setting} | {of}: {} | {compared_with} | {ratio} |",
                    cell(measurement, of)
                );
            };
            for to in COMPARED.into_iter().filter(|name| has(name)) {
                let ratio = measurement.ratio(of, to).map_or(String::new(), figure);
                line(&format!("{to}: {}", cell(measurement, to)), &ratio);
            }
            if !COMPARED.into_iter().any(has) {
                line("", "");
            }
        }
    }
    text
}

/// Natter's first, then the others, each as it first comes.
fn targets(measurements: &[Measurement]) -> Vec<String> {
    let mut targets: Vec<String> = Vec::new();
    for target in measurements.iter().flat_map(|measurement| measurement.values.keys()) {
        if !targets.contains(target) {
            targets.push(target.clone());
        }
    }
    targets.sort_by_key(|target| !target.starts_with("natter"));
    targets
}

fn short(target: &str) -> &str {
    target.strip_prefix("natter-").unwrap_or(target)
}

fn described(Measurement { what, unit, better, .. }: &Measurement) -> String {
    let sign = match better {
        Better::Higher => "↑",
        Better::Lower => "↓",
    };
    format!("{what}, {unit} {sign}")
}

/// The median, and how far rounds lie apart.
fn cell(measurement: &Measurement, target: &str) -> String {
    let Some(median) = measurement.median(target) else { return String::new() };
    match measurement.values.get(target).filter(|values| values.len() > 1).and_then(|values| spread(values)) {
        Some(spread) => format!("{} ±{:.0}%", figure(median), spread * 50.0),
        None => figure(median),
    }
}

/// Three significant digits, thousands separated.
pub fn figure(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 0.1 || v == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut parted = String::new();
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            parted.push(',');
        }
        parted.push(digit);
    }
    if fraction.is_empty() { format!("{sign}{parted}") } else { format!("{sign}{parted}.{fraction}") }
}

/// Puts text between `<!-- NAME -->` and `<!-- /NAME -->`; `None` when the markers are not there.
pub fn between_markers(document: &str, name: &str, text: &str) -> Option<String> {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = document.split_once(&open)?;
    let (_, after) = rest.split_once(&close)?;
    Some(format!("{before}{open}\n\n{}\n\n{close}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Metric, Results};

    #[test]
    fn figures_have_three_digits_and_parted_thousands() {
        let written: Vec<_> = [0.0, 0.0667, 0.123, 1.5, 12.34, 123.4, 12_345.6, 1_234_567.0, -1_234.0]
            .into_iter()
            .map(figure)
            .collect();
        assert_eq!(
            written,
            ["0.00", "0.067", "0.12", "1.50", "12.3", "123", "12,346", "1,234,567", "-1,234"]
        );
    }

    #[test]
    fn a_table_has_medians_spreads_and_ratios() {
        let mut results = Results::default();
        let cpu = Metric::lower("cpu", "server CPU a message", "µs");
        for (natter, bare) in [(60.0, 20.0), (66.0, 20.0), (60.0, 20.0)] {
            results.add(("ack", "128 B"), cpu, "bare", bare);
            results.add(("ack", "128 B"), cpu, "natter-relaxed", natter);
        }
        let wanted = "| | setting | natter-relaxed | bare | relaxed / bare |\n|---|---|---|---|---|\n\
                      | server CPU a message, µs ↓ | 128 B | 60.0 ±5% | 20.0 ±0% | 3.00 |\n";
        assert_eq!(markdown(&results.measurements), wanted);
        results.add(("idle", "few"), cpu, "natter-relaxed", 1.0);
        let wanted = "| | setting | | compared with | ratio |\n|---|---|---|---|---|\n\
                      | server CPU a message, µs ↓ | 128 B | natter-relaxed: 60.0 ±5% | bare: 20.0 ±0% | 3.00 |\n\
                      | server CPU a message, µs ↓ | few | natter-relaxed: 1.00 |  |  |\n";
        assert_eq!(brief(&results.measurements), wanted);
    }

    #[test]
    fn text_is_put_between_its_markers_and_nowhere_else() {
        let document = "head\n<!-- bench -->\nold\n<!-- /bench -->\ntail\n";
        let wanted = "head\n<!-- bench -->\n\nnew\n\n<!-- /bench -->\ntail\n";
        assert_eq!(between_markers(document, "bench", "new\n").as_deref(), Some(wanted));
        assert_eq!(between_markers(wanted, "bench", "new").as_deref(), Some(wanted));
        assert_eq!(between_markers("no markers", "bench", "new"), None);
    }
}
