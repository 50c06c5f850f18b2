use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::{SECONDS, describe, start_counters};

/// Starts the recorder; the handle renders `/metrics`.
pub fn start() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(PrometheusBuilder::install_recorder)?;
    describe();
    start_counters();
    metrics_process::Collector::default().describe();
    Ok(handle)
}
