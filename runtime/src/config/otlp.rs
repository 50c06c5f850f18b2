//! `OTLP_…`: where spans go, and how many.

use reqwest::Url;

use super::{BadSetting, Source, bad, number, text};

#[derive(Debug, Clone, PartialEq)]
pub struct Otlp {
    /// A collector; `None`: no span is made.
    pub endpoint: Option<Url>,
    /// From 0 to 1: how many of the traces that begin here are exported.
    pub sample_ratio: f64,
}

pub fn read(source: &Source<'_>) -> Result<Otlp, BadSetting> {
    let allowed = "a share from 0 to 1, such as 0.01";
    let sample_ratio = number(source, "OTLP_SAMPLE_RATIO", allowed)?.unwrap_or(0.01);
    if !(0.0..=1.0).contains(&sample_ratio) {
        return Err(bad("OTLP_SAMPLE_RATIO", &sample_ratio.to_string(), allowed));
    }
    Ok(Otlp { endpoint: endpoint(source)?, sample_ratio })
}

fn endpoint(source: &Source<'_>) -> Result<Option<Url>, BadSetting> {
    let Some(url) = text(source, "OTLP_ENDPOINT") else { return Ok(None) };
    let parsed = Url::parse(&url).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    // What may have a password is not printed.
    let wrong = || BadSetting {
        name: "OTLP_ENDPOINT",
        wrong: "is no address of a collector".to_owned(),
        allowed: "http://host:4318 or https://host, without a path, user or password".to_owned(),
    };
    parsed.ok_or_else(wrong).map(Some)
}
