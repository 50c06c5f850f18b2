//! Questions and answers between processes: NATS request/reply by the service API (ADR-32), so that
//! `nats micro` shows who answers what. A question is postcard of a `Call`; its answer postcard of
//! `Result<Reply, RpcError>`. Nothing is asked twice by itself: the caller knows what may be repeated.

mod client; // the side that asks
mod server; // the side that answers
mod access; //   who may read what a call names
mod proof; //   that the user of a call is there
mod span; //   what a call is in a trace
mod pulse; //   whether calls may have waited unseen

pub use access::{AccessCheck, NoReads};
pub use client::RpcClient;
pub use proof::{ProofCheck, ProofSource};
pub use server::{RpcServer, ServiceError};
