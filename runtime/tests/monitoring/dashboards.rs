//! Dashboards for Grafana: a row for each stage, a panel for each metric, and above them what is seen at a glance.

use natter_runtime::metrics::{Kind, Metric, STAGES, Unit};
use serde_json::{Value, json};

const STAGES_OF_FLOW: [&str; 7] =
    ["Clients", "Accepted", "Acked", "Delivered", "Persisted", "Mirrored", "Services"];
/// Of a panel; two are a line.
const WIDTH: usize = 12;
const HEIGHT: usize = 7;

pub const FILES: [(&str, &str); 2] = [
    ("k8s/chart/monitoring/dashboards/natter.json", "Natter"),
    ("k8s/chart/monitoring/dashboards/dependencies.json", "Natter: what it needs"),
];

/// A panel of several metrics.
pub struct Overview {
    title: &'static str,
    unit: &'static str,
    /// Expressions with their legends.
    pub queries: &'static [(&'static str, &'static str)],
}

/// How an event passes, stage after stage.
pub const FLOW: &[Overview] = &[
    Overview {
        title: "Events each second",
        unit: "cps",
        queries: &[
            ("sum(rate(natter_commands_accepted_total[$__rate_interval]))", "accepted"),
            ("sum(rate(natter_publish_ack_seconds_count[$__rate_interval]))", "acked"),
            ("sum(rate(natter_delivery_seconds_count[$__rate_interval]))", "delivered, of each edge"),
            (
                r#"sum(rate(natter_consumed_total{consumer="persist",verdict="done"}[$__rate_interval]))"#,
                "persisted",
            ),
            ("sum(rate(natter_mirrored_total[$__rate_interval]))", "mirrored"),
        ],
    },
    Overview {
        title: "99 of 100 take less than",
        unit: "s",
        queries: &[
            (
                "histogram_quantile(0.99, sum by (le) (rate(natter_publish_ack_seconds_bucket[$__rate_interval])))",
                "from a send to its ack",
            ),
            (
                "histogram_quantile(0.99, sum by (le) (rate(natter_delivery_seconds_bucket[$__rate_interval])))",
                "from a send to its last receiver",
            ),
            (
                r#"histogram_quantile(0.99, sum by (le) (rate(natter_http_seconds_bucket{route=~".*/messages",method="GET"}[$__rate_interval])))"#,
                "a page of messages",
            ),
            (
                r#"histogram_quantile(0.99, sum by (le) (rate(natter_consumed_age_seconds_bucket{consumer="persist"}[$__rate_interval])))"#,
                "from the log to the store",
            ),
        ],
    },
    Overview {
        title: "Events that wait",
        unit: "short",
        queries: &[
            (r#"sum(max by (partition) (natter_consume_waiting{consumer="persist"}))"#, "for the store"),
            ("sum(max by (partition) (natter_mirror_lag))", "for Kafka"),
            ("max(natter_parked_events)", "parked"),
        ],
    },
    Overview {
        title: "Budget of an objective, used so many times as fast as planned",
        unit: "short",
        queries: &[
            ("natter:send_misses:ratio_rate1h / 0.001", "sends"),
            ("natter:delivery_misses:ratio_rate1h / 0.001", "deliveries"),
            ("natter:page_misses:ratio_rate1h / 0.01", "pages"),
            ("natter:stored_event_misses:ratio_rate1h / 0.001", "stored events"),
        ],
    },
];

/// The first follows a message; the second has what is behind it.
pub fn print(title: &str) -> String {
    let is_flow = title == FILES[0].1;
    let mut rows: Vec<(&str, Vec<Value>)> = Vec::new();
    if is_flow {
        rows.push(("Flow", FLOW.iter().map(overview).collect()));
    }
    for stage in STAGES.iter().filter(|stage| STAGES_OF_FLOW.contains(&stage.title) == is_flow) {
        rows.push((stage.title, stage.metrics.iter().map(panel).collect()));
    }
    let dashboard = json!({
        "title": title,
        "uid": if is_flow { "natter" } else { "natter-dependencies" },
        "tags": ["natter"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": placed(rows),
    });
    format!("{dashboard:#}\n")
}

fn placed(rows: Vec<(&str, Vec<Value>)>) -> Vec<Value> {
    let (mut all, mut top) = (Vec::new(), 0);
    for (title, panels) in rows {
        all.push(json!({
            "type": "row", "title": title, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": top, "w": 2 * WIDTH, "h": 1},
        }));
        let lines = panels.len().div_ceil(2);
        for (place, mut panel) in panels.into_iter().enumerate() {
            let (x, y) = (place % 2 * WIDTH, top + 1 + place / 2 * HEIGHT);
            panel["gridPos"] = json!({"x": x, "y": y, "w": WIDTH, "h": HEIGHT});
            all.push(panel);
        }
        top += 1 + lines * HEIGHT;
    }
    for (id, panel) in all.iter_mut().enumerate() {
        panel["id"] = (id + 1).into();
    }
    all
}

fn overview(Overview { title, unit, queries }: &Overview) -> Value {
    let queries = queries.iter().map(|(expr, legend)| ((*expr).to_owned(), (*legend).to_owned()));
    series(title, "", unit, queries.collect())
}

fn panel(metric: &Metric) -> Value {
    let unit = match (metric.kind, metric.unit) {
        // Dates in seconds become milliseconds in the query.
        (_, Unit::Seconds) if metric.name.ends_with("_timestamp_seconds") => "dateTimeAsIso",
        // CPU seconds of each second.
        (Kind::Counter, Unit::Seconds) => "short",
        (_, Unit::Seconds) => "s",
        (_, Unit::Bytes) => "bytes",
        (Kind::Counter, Unit::Count) => "cps",
        (_, Unit::Count) => "short",
    };
    series(metric.name, &description(metric), unit, queries(metric))
}

/// What the metric measures, and when to look at it.
fn description(metric: &Metric) -> String {
    let Metric { measured, look, meaning, .. } = metric;
    if look.is_empty() {
        format!("{measured}.")
    } else {
        format!("{measured}. Look when: {look}. Then: {meaning}.")
    }
}

fn series(title: &str, description: &str, unit: &str, queries: Vec<(String, String)>) -> Value {
    let targets: Vec<Value> = queries
        .into_iter()
        .zip('A'..)
        .map(|((expr, legend), id)| json!({"refId": id.to_string(), "expr": expr, "legendFormat": legend}))
        .collect();
    json!({
        "type": "timeseries",
        "title": title,
        "description": description,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "fieldConfig": {"defaults": {"unit": unit, "custom": {"fillOpacity": 5}}, "overrides": []},
        "targets": targets,
    })
}

/// Expressions with their legends.
fn queries(metric: &Metric) -> Vec<(String, String)> {
    let name = metric.name;
    let labels: Vec<&str> = metric.labels.iter().map(|label| label.name).collect();
    let by = labels.join(", ");
    let legend = labels.iter().map(|label| format!("{{{{{label}}}}}")).collect::<Vec<_>>().join(" ");
    let over = |series: &str, kept: &str| format!("sum by ({kept}) (rate({series}[$__rate_interval]))");
    match (metric.kind, metric.unit) {
        // Of a process: each for itself.
        (Kind::Counter, _) if !metric.is_own() => {
            vec![(format!("rate({name}[$__rate_interval])"), "{{instance}}".to_owned())]
        }
        (Kind::Counter, _) if labels.is_empty() => {
            vec![(format!("sum(rate({name}[$__rate_interval]))"), "all".to_owned())]
        }
        (Kind::Counter, _) => vec![(over(name, &by), legend)],
        (Kind::Gauge, _) if name.ends_with("_timestamp_seconds") => {
            vec![(format!("min by ({by}) ({name}) * 1000"), legend)]
        }
        (Kind::Gauge, _) if name.ends_with("_info") => vec![(format!("count by ({by}) ({name})"), legend)],
        // One without a connection counts.
        (Kind::Gauge, _) if name.ends_with("_connected") => {
            vec![(format!("min by (instance, {by}) ({name})"), format!("{{{{instance}}}} {legend}"))]
        }
        (Kind::Gauge, _) if labels.is_empty() => vec![(name.to_owned(), "{{instance}}".to_owned())],
        (Kind::Gauge, _) => vec![(format!("max by ({by}) ({name})"), legend)],
        (Kind::Histogram, Unit::Seconds | Unit::Bytes) => {
            let kept = if by.is_empty() { "le".to_owned() } else { format!("le, {by}") };
            let buckets = over(&format!("{name}_bucket"), &kept);
            let quantile = |q: &str, called: &str| {
                (
                    format!("histogram_quantile({q}, {buckets})"),
                    format!("{called} {legend}").trim().to_owned(),
                )
            };
            vec![quantile("0.5", "p50"), quantile("0.99", "p99")]
        }
        // Without buckets: the mean.
        (Kind::Histogram, Unit::Count) => {
            let sum = over(&format!("{name}_sum"), &by);
            vec![(
                format!("{sum} / {}", over(&format!("{name}_count"), &by)),
                format!("mean {legend}").trim().to_owned(),
            )]
        }
    }
}
