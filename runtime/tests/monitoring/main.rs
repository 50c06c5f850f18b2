//! The table of metrics against the code, and what is printed from it. `UPDATE=1` prints again.

mod alerts; // rules for Prometheus, and their tests
mod code; // metrics as the code uses them
mod dashboards; // what Grafana shows
mod files; // files that are printed from the table
mod logs; // the table of fields of log lines, and its documents
mod page; // docs/metrics.md
mod selectors; // what an expression names

use natter_runtime::metrics::{Metric, Values, all};

#[test]
fn the_table_has_the_metrics_of_the_code_and_no_other() {
    let mut used: Vec<String> = code::uses().into_iter().map(|found| found.name).collect();
    used.sort();
    used.dedup();
    let mut listed: Vec<&str> = all().filter(|metric| metric.is_own()).map(|metric| metric.name).collect();
    listed.sort_unstable();
    assert_eq!(used, listed);
}

#[test]
fn kinds_and_labels_are_those_of_the_code() {
    for used in code::uses() {
        let metric = metric(&used.name);
        assert_eq!(used.kind, format!("{:?}", metric.kind).to_lowercase(), "{}", used.name);
        let labels: Vec<&str> = metric.labels.iter().map(|label| label.name).collect();
        assert_eq!(used.labels, labels, "{}", used.name);
    }
}

#[test]
fn names_end_with_what_is_counted() {
    for metric in all() {
        let kind = format!("{:?}", metric.kind);
        assert_eq!(metric.name.ends_with("_total"), kind == "Counter", "{}", metric.name);
        assert_eq!(metric.meaning.is_empty(), metric.look.is_empty(), "{}", metric.name);
    }
}

#[test]
fn the_help_of_a_metric_is_what_it_measures() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        natter_runtime::metrics::describe();
        metrics::counter!("natter_publish_retries_total").increment(1);
    });
    let measured = metric("natter_publish_retries_total").measured;
    let page = recorder.handle().render();
    assert!(page.contains(&format!("# HELP natter_publish_retries_total {measured}\n")), "{page}");
}

/// Two metrics that measure the same would be one.
#[test]
fn every_metric_says_what_it_alone_measures() {
    let mut said: Vec<&str> = all().map(|metric| metric.measured).collect();
    assert!(said.iter().all(|measured| !measured.is_empty()));
    said.sort_unstable();
    for pair in said.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
}

/// Whatever users there are: only labels make series.
#[test]
fn the_number_of_series_has_a_bound_without_users() {
    let about_users = ["user", "conversation", "address", "session", "device", "username", "event", "id"];
    for metric in all() {
        for label in metric.labels {
            assert!(!about_users.contains(&label.name), "{}: {}", metric.name, label.name);
            match label.values {
                Values::These(values) => assert!(!values.is_empty(), "{}", label.name),
                Values::AsMany(what, _) => assert!(!what.is_empty(), "{}", label.name),
            }
            assert!(label.values.count() <= 256, "{}", label.name);
        }
    }
}

#[test]
fn the_page_of_metrics_is_the_table() {
    files::check("docs/metrics.md", &page::print());
}

#[test]
fn dashboards_are_printed_from_the_table() {
    for (path, title) in dashboards::FILES {
        files::check_json(path, &dashboards::print(title));
    }
    let both: String = dashboards::FILES.map(|(_, title)| dashboards::print(title)).concat();
    for metric in all() {
        let title = format!("\"title\": \"{}\"", metric.name);
        assert_eq!(both.matches(&title).count(), 1, "{}", metric.name);
    }
}

#[test]
fn rows_of_the_first_dashboard_follow_a_message() {
    let board: serde_json::Value =
        serde_json::from_str(&dashboards::print(dashboards::FILES[0].1)).expect("JSON");
    let rows = board["panels"].as_array().expect("panels").iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<&str> = rows.map(|row| row["title"].as_str().expect("a title")).collect();
    let stages = ["Flow", "Clients", "Accepted", "Acked", "Delivered", "Persisted", "Mirrored", "Services"];
    assert_eq!(rows, stages);
}

/// Prometheus gives every series these labels and renames a metric's own.
#[test]
fn no_label_is_one_that_prometheus_sets() {
    for metric in all() {
        for label in metric.labels {
            assert!(!["job", "instance"].contains(&label.name), "{}", metric.name);
        }
    }
}

#[test]
fn rules_and_their_tests_are_printed_from_the_tables() {
    files::check("k8s/chart/monitoring/rules/causes.yaml", &alerts::causes());
    files::check("k8s/chart/monitoring/rules/objectives.yaml", &alerts::objectives());
    files::check("k8s/chart/monitoring/inhibit.yaml", &alerts::inhibitions());
    files::check("k8s/chart/tests/rules/causes_test.yaml", &alerts::causes_test());
    files::check("k8s/chart/tests/rules/objectives_test.yaml", &alerts::objectives_test());
}

#[test]
fn expressions_name_metrics_labels_and_values_that_exist() {
    let mut expressions: Vec<String> = alerts::CAUSES.iter().map(|cause| cause.expr.to_owned()).collect();
    expressions.extend(alerts::OBJECTIVES.iter().map(|objective| objective.misses("5m")));
    expressions
        .extend(dashboards::FLOW.iter().flat_map(|panel| panel.queries).map(|(expr, _)| (*expr).to_owned()));
    for selector in expressions.iter().flat_map(|expression| selectors::all(expression)) {
        let metric = metric(&selector.name);
        for (name, value) in selector.equal {
            // Of the bucket, not of the metric.
            if name == "le" {
                let bound: f64 = value.parse().expect("a number");
                assert!(natter_runtime::metrics::SECONDS.contains(&bound), "{}: {value}", metric.name);
                continue;
            }
            let label = metric.labels.iter().find(|label| label.name == name);
            let label = label.unwrap_or_else(|| panic!("{} has no label {name}", metric.name));
            if let Values::These(values) = label.values {
                assert!(values.contains(&value.as_str()), "{}: {name} is never {value}", metric.name);
            }
        }
    }
}

#[test]
fn every_alert_has_a_run_book_and_no_run_book_is_of_none() {
    let page = std::fs::read_to_string(files::root().join("docs/alerts.md")).expect("docs/alerts.md");
    let sections: Vec<(&str, &str)> =
        page.split("\n### ").skip(1).map(|section| section.split_once('\n').expect("a title")).collect();
    let mut named: Vec<String> = sections.iter().map(|(title, _)| (*title).to_owned()).collect();
    let mut listed: Vec<String> = alerts::all().map(|(name, ..)| name).collect();
    named.sort();
    listed.sort();
    assert_eq!(named, listed);
    for (name, severity, implies) in alerts::all() {
        let (_, text) = sections.iter().find(|(title, _)| *title == name).expect("it is listed");
        let mut head = format!("*{severity}*");
        if !implies.is_empty() {
            let names: Vec<String> =
                implies.iter().map(|name| format!("[{name}](#{})", name.to_lowercase())).collect();
            head = format!("{head}; may bring {}", names.join(", "));
        }
        // However it is wrapped.
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            flat.starts_with(&head),
            "{name} begins with: {head}\nnot with: {}",
            &flat[..200.min(flat.len())]
        );
        assert!(flat.len() > head.len() + 100, "{name} does not say what to do");
    }
}

#[test]
fn what_an_alert_implies_is_an_alert() {
    let names: Vec<String> = alerts::all().map(|(name, ..)| name).collect();
    for (name, _, implies) in alerts::all() {
        for implied in implies {
            assert!(names.contains(&implied), "{name} implies {implied}");
        }
    }
}

/// In a circle none of them would be sent.
#[test]
fn no_alert_mutes_itself_by_others() {
    let muted = alerts::muted();
    for (first, _) in &muted {
        let (mut reached, mut next) = (Vec::new(), vec![first]);
        while let Some(name) = next.pop() {
            for implied in muted.iter().filter(|(of, _)| of == name).flat_map(|(_, implied)| implied) {
                assert_ne!(implied, first, "by way of {name}");
                if !reached.contains(&implied) {
                    reached.push(implied);
                    next.push(implied);
                }
            }
        }
    }
}

/// Whose first event may be missed.
const SEEN_LATER: [&str; 2] = ["natter_mirrored_total", "natter_kms_seconds_count"];

/// Prometheus sees no increase in a counter that appears with its first event.
#[test]
fn counters_of_closed_labels_start_at_zero() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, natter_runtime::metrics::start_counters);
    let page = recorder.handle().render();
    for zero in [
        "natter_panics_total 0\n",
        "natter_closed_total{code=\"slow_reader\"} 0\n",
        "natter_publish_failed_total{reason=\"disk\"} 0\n",
        "natter_consumed_total{consumer=\"persist\",verdict=\"park\"} 0\n",
    ] {
        assert!(page.contains(zero), "{zero}{page}");
    }
    // Counters that causes ask for the increase of are among them, or it is no loss if their first event is not seen.
    for part in alerts::CAUSES.iter().flat_map(|cause| cause.expr.split("increase(").skip(1)) {
        let name = part.split(['{', '[']).next().expect("a name");
        assert!(
            SEEN_LATER.contains(&name) || page.contains(&format!("\n{name}")),
            "{name} does not start at 0"
        );
    }
}

fn metric(name: &str) -> &'static Metric {
    all().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} is not in the table"))
}
