use std::fmt::Write;

use super::{CAUSES, Case, Lasts, OBJECTIVES, Shape, WINDOWS, muted};

const HEAD: &str = "# Printed from runtime/tests/monitoring/alerts by `UPDATE=1 cargo test -p natter-runtime --test monitoring`.
# For Prometheus 2.42 or later. docs/alerts.md says what to do for each alert.
";
const TEST_HEAD: &str = "# Printed from runtime/tests/monitoring/alerts by `UPDATE=1 cargo test -p natter-runtime --test monitoring`.
# Run by scripts/check-alerts: no alert before the fault, each of them through all of it and nothing beside it, none after it.
";

/// Steps of a quarter of a minute: of peace, of the fault, of peace.
const STEPS: [u32; 3] = [40, 40, 80];
const BEGIN: usize = 10;
const END: usize = 20;
/// The longest window that a cause looks back over, and a step.
const WINDOW: usize = 6;

/// As a YAML string.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

struct Rule<'a> {
    name: &'a str,
    expr: &'a str,
    hold: &'a str,
    severity: &'a str,
    summary: &'a str,
    implies: &'a [&'a str],
}

fn alert(page: &mut String, rule: &Rule<'_>) {
    let Rule { name, expr, hold, severity, summary, implies } = rule;
    let _ = writeln!(page, "      - alert: {name}\n        expr: {}", quoted(expr));
    if !hold.is_empty() {
        let _ = writeln!(page, "        for: {hold}");
    }
    let _ = writeln!(page, "        labels: {{ severity: {severity} }}\n        annotations:");
    let _ = writeln!(page, "          summary: {}", quoted(summary));
    if !implies.is_empty() {
        let _ = writeln!(page, "          implies: {}", implies.join(" "));
    }
    let _ = writeln!(page, "          runbook: docs/alerts.md#{}", name.to_lowercase());
}

pub fn causes() -> String {
    let mut page = format!("{HEAD}groups:\n  - name: natter-causes\n    rules:\n");
    for cause in CAUSES {
        let &super::Cause { name, severity, expr, hold, summary, implies, .. } = cause;
        alert(&mut page, &Rule { name, expr, hold, severity, summary, implies });
    }
    page
}

pub fn objectives() -> String {
    let mut page = format!("{HEAD}groups:\n  - name: natter-objectives\n    rules:\n");
    for objective in OBJECTIVES {
        for window in WINDOWS.iter().flat_map(|(long, short, ..)| [short, long]) {
            let (record, expr) = (objective.recorded(window), quoted(&objective.misses(window)));
            let _ = writeln!(page, "      - record: {record}\n        expr: {expr}");
        }
    }
    for objective in OBJECTIVES {
        for (windows, severity, other) in [(WINDOWS[0], "page", "Slow"), (WINDOWS[1], "ticket", "Fast")] {
            let days = if other == "Slow" { "two" } else { "five" };
            let summary = format!("{}; a month's budget is used up in {days} days", objective.summary);
            let (name, expr, other) =
                (objective.alert(windows.3), objective.burns(windows), objective.alert(other));
            let implies = [other.as_str()];
            let rule =
                Rule { name: &name, expr: &expr, hold: "", severity, summary: &summary, implies: &implies };
            alert(&mut page, &rule);
        }
    }
    page
}

/// For Alertmanager: while a cause fires, what it brings with it is not sent.
pub fn inhibitions() -> String {
    let mut page = "# Printed from runtime/tests/monitoring/alerts by `UPDATE=1 cargo test -p natter-runtime --test monitoring`.
# For the configuration of Alertmanager 0.22 or later: while the first alert fires, the others are not sent.
inhibit_rules:
"
    .to_owned();
    for (name, muted) in muted() {
        let _ = writeln!(page, "  - source_matchers: [alertname={name}]");
        let _ = writeln!(page, "    target_matchers: ['alertname=~\"{}\"']", muted.join("|"));
    }
    page
}

fn test(page: &mut String, name: &str, interval: &str, series: &[(String, String)]) {
    let _ = writeln!(page, "  - name: {}\n    interval: {interval}\n    input_series:", quoted(name));
    for (series, values) in series {
        let _ = writeln!(page, "      - {{ series: {}, values: '{values}' }}", quoted(series));
    }
    page.push_str("    promql_expr_test:\n");
}

/// Exactly these fire at this minute.
fn expect(page: &mut String, minute: usize, alerts: &[&str]) {
    let expr = quoted(r#"group by (alertname) (ALERTS{alertstate="firing"})"#);
    let sample = |alert: &&str| format!("{{ labels: '{{alertname=\"{alert}\"}}', value: 1 }}");
    let samples: Vec<String> = alerts.iter().map(sample).collect();
    let samples = samples.join(", ");
    let _ = writeln!(page, "      - {{ expr: {expr}, eval_time: {minute}m, exp_samples: [{samples}] }}");
}

fn values(shape: Shape, [before, during, after]: [u32; 3]) -> String {
    let level = |value: &str, steps: u32| {
        if value == "_" { format!("_x{steps}") } else { format!("{value}x{}", steps - 1) }
    };
    match shape {
        Shape::Grows(by) => {
            format!("0x{} {by}+{by}x{} {}x{}", before - 1, during - 1, by * during, after - 1)
        }
        Shape::Jumps(by) => format!("0x{} {by}x{}", before - 1, during + after - 1),
        Shape::Stops(by) => format!(
            "0+{by}x{} {}x{} {}+{by}x{}",
            before - 1,
            by * (before - 1),
            during - 1,
            by * before,
            after - 1
        ),
        Shape::Steady(value) => level(value, before + during + after),
        Shape::Is(bad, good) => [level(good, before), level(bad, during), level(good, after)].join(" "),
    }
}

fn series(case: &Case) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        case.series.iter().map(|(name, shape)| ((*name).to_owned(), values(*shape, STEPS))).collect();
    if !all.iter().any(|(name, _)| name.starts_with("natter_build_info")) {
        for role in ["edge", "worker"] {
            let name = format!("natter_build_info{{role=\"{role}\",instance=\"{role}\"}}");
            all.push((name, values(Shape::Steady("1"), STEPS)));
        }
    }
    all
}

pub fn causes_test() -> String {
    let mut page = format!(
        "{TEST_HEAD}rule_files: [../../monitoring/rules/causes.yaml]\nevaluation_interval: 15s\ntests:\n"
    );
    for cause in CAUSES {
        let case = &cause.case;
        test(&mut page, cause.name, "15s", &series(case));
        let last = match case.lasts {
            Lasts::Fault => END - 1,
            Lasts::Window => BEGIN + 4,
        };
        (1..BEGIN).for_each(|minute| expect(&mut page, minute, &[]));
        (BEGIN + case.fires_after..=last).for_each(|minute| expect(&mut page, minute, &[cause.name]));
        let over = if case.lasts == Lasts::Fault { END } else { BEGIN };
        (over + WINDOW..40).for_each(|minute| expect(&mut page, minute, &[]));
    }
    page
}

/// Six hours of peace, one of nothing but misses, three of peace; and as long at half the planned rate.
pub fn objectives_test() -> String {
    const HOUR: u32 = 60;
    const EVERY: u32 = 100_000;
    let mut page = format!(
        "{TEST_HEAD}rule_files: [../../monitoring/rules/objectives.yaml]\nevaluation_interval: 1m\ntests:\n"
    );
    for objective in OBJECTIVES {
        let counts = |good: String, minutes: u32| {
            let mut all = vec![(objective.good_counts.to_owned(), good)];
            let total = format!("0+{EVERY}x{minutes}");
            all.extend(objective.counts.iter().map(|name| ((*name).to_owned(), total.clone())));
            all
        };
        let (fast, slow) = (objective.alert("Fast"), objective.alert("Slow"));
        let good = values(Shape::Stops(EVERY), [6 * HOUR, HOUR, 3 * HOUR]);
        test(&mut page, objective.name, "1m", &counts(good, 10 * HOUR - 1));
        let minute = |hours: usize, minutes: usize| 60 * hours + minutes;
        for hours in [1, 3, 5] {
            expect(&mut page, minute(hours, 0), &[]);
        }
        (30..60).step_by(5).for_each(|m| expect(&mut page, minute(6, m), &[&fast, &slow]));
        (10..25).step_by(5).for_each(|m| expect(&mut page, minute(7, m), &[&slow]));
        for minutes in [35, 50, 120] {
            expect(&mut page, minute(7, minutes), &[]);
        }

        let half: f64 = f64::from(EVERY) * objective.budget.parse::<f64>().expect("a number") / 2.0;
        let good = format!("0+{}x{}", f64::from(EVERY) - half, 10 * HOUR - 1);
        let name = format!("{} at half the planned rate", objective.name);
        test(&mut page, &name, "1m", &counts(good, 10 * HOUR - 1));
        (1..10).for_each(|hours| expect(&mut page, minute(hours, 0), &[]));
    }
    nothing_but_failures(&mut page);
    page
}

/// No ack at all, which is no ack in time.
fn nothing_but_failures(page: &mut String) {
    let send = &OBJECTIVES[0];
    let failed = [(r#"natter_publish_failed_total{reason="timeout"}"#.to_owned(), "0+10x120".to_owned())];
    test(page, "sends that all fail", "1m", &failed);
    let (fast, slow) = (send.alert("Fast"), send.alert("Slow"));
    for minute in [10, 60, 119] {
        expect(page, minute, &[&fast, &slow]);
    }
}
