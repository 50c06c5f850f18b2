//! Logs to stderr, metrics to the Prometheus recorder. Logs carry ids, never content or secrets.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, prelude::*};

use crate::{
    config::LogFormat,
    metrics::{SECONDS, describe, start_counters},
};

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error(
        "LOG_LEVEL is '{0}': not a level (error, warn, info, debug, trace) or a list such as 'info,natter_edge=debug'"
    )]
    Level(String),
    #[error("telemetry was started twice: {0}")]
    Twice(String),
}

/// Starts logging. `level` is a level or a list of `target=level`.
pub fn start_logs(level: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(level).map_err(|_| TelemetryError::Level(level.to_owned()))?;
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(has_no_payload));
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
        LogFormat::Pretty => registry.with(layer.with_target(true).compact()).try_init(),
    }
    .map_err(|e| TelemetryError::Twice(e.to_string()))
}

/// Drivers write what they send and receive at `trace`: contents and passwords. No level makes that right.
fn has_no_payload(metadata: &Metadata<'_>) -> bool {
    *metadata.level() < Level::TRACE || metadata.target().starts_with("natter")
}

/// Starts the metrics recorder; the handle renders `/metrics`.
pub fn start_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|e| TelemetryError::Twice(e.to_string()))?;
    describe();
    start_counters();
    metrics_process::Collector::default().describe();
    Ok(handle)
}
