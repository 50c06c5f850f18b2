//! The table of metrics against the code, and what is printed from it. `UPDATE=1` prints again.

mod code; // metrics as the code uses them
mod files; // files that are printed from the table
mod page; // docs/metrics.md

use natter_runtime::metrics::{Metric, Values, all};

#[test]
fn the_table_has_the_metrics_of_the_code_and_no_other() {
    let mut used: Vec<String> = code::uses().into_iter().map(|found| found.name).collect();
    used.sort();
    used.dedup();
    let mut listed: Vec<&str> = all().map(|metric| metric.name).collect();
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
        assert!(!metric.meaning.is_empty() || metric.look.is_empty(), "{}", metric.name);
    }
}

#[test]
fn the_help_of_a_metric_is_its_row() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        natter_runtime::metrics::describe();
        metrics::counter!("natter_publish_retries_total").increment(1);
    });
    let meaning = metric("natter_publish_retries_total").meaning;
    let page = recorder.handle().render();
    assert!(page.contains(&format!("# HELP natter_publish_retries_total {meaning}\n")), "{page}");
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

fn metric(name: &str) -> &'static Metric {
    all().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} is not in the table"))
}
