//! Whether the process at the other end is of a version that is understood here, and understands this one.

use std::time::Duration;

use async_nats::HeaderMap;
use natter_schemas::{
    code::Code,
    rpc::RpcError,
    version::{Versions, WIRE},
};
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::error;

use crate::header;

/// As long as such a process runs it calls all the time.
const REPORT_EVERY: Duration = Duration::from_mins(1);

/// Of one connection or service.
pub struct Neighbors {
    /// What this process understands.
    own: Versions,
    reported: Mutex<Option<Instant>>,
}

impl Default for Neighbors {
    fn default() -> Self {
        Self::of(WIRE)
    }
}

impl Neighbors {
    /// Of a process that understands these.
    pub const fn of(own: Versions) -> Self {
        Self { own, reported: Mutex::new(None) }
    }

    /// Says in a message what this process understands.
    pub fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(header::VERSIONS, self.own.to_string());
    }

    /// Whether a message is of a process that this one can talk with; otherwise `unavailable`, because others may be there.
    pub fn check(&self, call: &'static str, headers: Option<&HeaderMap>) -> Result<(), RpcError> {
        let named = headers.and_then(|headers| headers.get(header::VERSIONS));
        let other = named.map_or(Some(Versions::UNNAMED), |text| text.as_str().parse().ok());
        if other.is_some_and(|other| self.own.meet(other)) {
            return Ok(());
        }
        if self.is_due() {
            let other = other.map_or_else(|| "an unknown form".to_owned(), |other| other.to_string());
            error!(
                call,
                versions = %self.own,
                other_versions = other,
                "a process of another version cannot be understood: its messages have no effect, and what it asks is `unavailable`; upgrade the older one"
            );
        }
        Err(Code::Unavailable.into())
    }

    fn is_due(&self) -> bool {
        let mut reported = self.reported.lock();
        let due = reported.is_none_or(|last| last.elapsed() >= REPORT_EVERY);
        if due {
            *reported = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_names_no_version_or_one_far_away_is_refused_and_reported_once_a_minute() {
        let near = Neighbors::of(Versions::new(1, 2));
        let answer = |text: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(text) = text {
                headers.insert(header::VERSIONS, text);
            }
            near.check("call", Some(&headers)).map_err(|refused| refused.code)
        };
        assert_eq!((answer(Some("1-1")), answer(Some("2-5"))), (Ok(()), Ok(())));
        for other in [None, Some("0-0"), Some("3-4"), Some("2"), Some("")] {
            assert_eq!(answer(other), Err(Code::Unavailable), "{other:?}");
        }
        assert!(!near.is_due(), "it was reported");
        tokio::time::advance(REPORT_EVERY).await;
        assert!(near.is_due() && !near.is_due());
        let any = Neighbors::of(Versions::new(0, 2));
        assert!(any.check("call", None).is_ok(), "a process of before there were versions");
    }
}
