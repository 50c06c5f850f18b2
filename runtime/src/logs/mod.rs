//! Logs to stderr: ids, never content or secrets.

mod fields; // the table of every field
mod json; // one JSON object a line

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::IsTerminal,
    panic,
};

use tracing::{Level, Metadata, error};
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, prelude::*};

use crate::config::LogFormat;

pub use fields::{FIELDS, Field, FieldKind};

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "LOG_LEVEL is '{0}': not a level (error, warn, info, debug, trace) or a list such as 'info,natter_edge=debug'"
    )]
    Level(String),
    #[error("logs were started twice: {0}")]
    Twice(String),
}

/// Starts logging. `level` is a level or a list of `target=level`.
pub fn start(level: &str, format: LogFormat) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(level).map_err(|_| LogError::Level(level.to_owned()))?;
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(has_no_payload));
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Json => registry.with(layer.event_format(json::JsonLines)).try_init(),
        LogFormat::Pretty => registry.with(layer.with_target(true).compact()).try_init(),
    }
    .map_err(|e| LogError::Twice(e.to_string()))?;
    if format == LogFormat::Json {
        panic::set_hook(Box::new(log_panic));
    }
    Ok(())
}

/// Drivers write what they send and receive at `trace`: contents and passwords. No level makes that right.
fn has_no_payload(metadata: &Metadata<'_>) -> bool {
    *metadata.level() < Level::TRACE || metadata.target().starts_with("natter")
}

/// What reads the log reads JSON: a panic is a line of it as well.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message");
    let location = info.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(panic = message, location, backtrace, "a thread panicked");
}
