use std::fmt::Write;

use natter_runtime::metrics::{Kind, Metric, Roles, STAGES, Values};

const HEAD: &str = "# Metrics

<!-- Printed from runtime/src/metrics by `UPDATE=1 cargo test -p natter-runtime --test monitoring`. -->

Edges and workers answer `GET /metrics` on their admin ports, in Prometheus's text format. E: on edges, W: on workers. The number of
series does not depend on users or conversations: what each label can be is in the last table. Counters whose labels have a closed set
are there from the start, at 0, in every process. Alerts are in [alerts.md](alerts.md); `k8s/chart/monitoring/dashboards` has a panel
of each metric for Grafana.
";

pub fn print() -> String {
    let mut page = HEAD.to_owned();
    for stage in STAGES {
        let _ = write!(
            page,
            "\n## {}\n\n| Metric | Kind | Where | What it measures | Look when | What that means, what to do |\n|---|---|---|---|---|---|\n",
            stage.title
        );
        for metric in stage.metrics {
            row(&mut page, metric);
        }
    }
    page.push_str("\n## Labels\n\n| Metric | Label | Values |\n|---|---|---|\n");
    for metric in STAGES.iter().flat_map(|stage| stage.metrics) {
        for label in metric.labels {
            let values = match label.values {
                Values::These(values) => {
                    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
                }
                Values::AsMany(what, most) => format!("{what}; at most {most}"),
            };
            let _ = writeln!(page, "| `{}` | `{}` | {values} |", metric.name, label.name);
        }
    }
    page
}

fn row(page: &mut String, metric: &Metric) {
    let labels: Vec<&str> = metric.labels.iter().map(|label| label.name).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let roles = match metric.roles {
        Roles::Edges => "E",
        Roles::Workers => "W",
        Roles::Both => "E W",
        Roles::Dev => "`natter dev`",
    };
    let (name, measured, look, meaning) = (metric.name, metric.measured, metric.look, metric.meaning);
    let _ = writeln!(page, "| `{name}{labels}` | {kind} | {roles} | {measured} | {look} | {meaning} |");
}
