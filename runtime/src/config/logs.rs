//! `LOG_…`: what is logged, and how.

use super::{BadSetting, Source, bad, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Pretty,
}

pub fn default_level(dev: bool) -> String {
    if dev { "warn,natter=info" } else { "info" }.to_owned()
}

pub fn format(source: &Source<'_>, dev: bool) -> Result<LogFormat, BadSetting> {
    match text(source, "LOG_FORMAT").as_deref() {
        None if dev => Ok(LogFormat::Pretty),
        None | Some("json") => Ok(LogFormat::Json),
        Some("pretty") => Ok(LogFormat::Pretty),
        Some(other) => Err(bad("LOG_FORMAT", other, "json, pretty")),
    }
}
