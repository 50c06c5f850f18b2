//! Questions and answers between processes: NATS request/reply by the service API (ADR-32), so that
//! `nats micro` shows who answers what. A question is postcard of a `Call`; its answer postcard of
//! `Result<Reply, Refused>`. Nothing is asked twice by itself: the caller knows what may be repeated.

mod ask; // the side that asks
mod host; // the side that answers

pub use ask::Asker;
pub use host::{Host, ServiceError};

/// When the caller stops waiting, in Unix milliseconds.
const DEADLINE: &str = "Natter-Deadline";
