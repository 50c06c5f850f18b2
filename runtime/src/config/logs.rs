//! `LOG_…`: what is logged, and how.

use super::{BadSetting, Source, bad, number, text};

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

/// Lines a second about requests that were answered, and as many about sockets that ended.
pub fn requests(source: &Source<'_>, dev: bool) -> Result<u32, BadSetting> {
    const MOST: u32 = 1_000_000;
    let allowed = format!("lines a second, 0 to {MOST}");
    let lines = number(source, "LOG_REQUESTS", &allowed)?.unwrap_or(if dev { 0 } else { 100 });
    if lines <= MOST { Ok(lines) } else { Err(bad("LOG_REQUESTS", &lines.to_string(), allowed)) }
}
