//! One suite for both implementations, then what only a shared server can do: restart, forget, stand still.
#![allow(clippy::unwrap_used)]

/// Each sentence is one test per implementation, on a state of its own.
macro_rules! both {
    ($($sentence:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() {
                super::$sentence(std::sync::Arc::new(natter_runtime::shared_state::Memory::new())).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() {
                let server = natter_testkit::Redis::start().await;
                super::$sentence(std::sync::Arc::new(crate::fixtures::connected(&server).await)).await;
            })*
        }
    };
}

mod fixtures; // waiting, heartbeats, sweeps

mod presence; // for both
mod keys; // for both: idempotency
mod rate_limits; // for both
mod log_ins; // for both
mod contact; // for both: who hears NATS
mod faults; // redis: restart, flush, pause, wrong addresses
mod tls; // redis: encrypted, with certificates on both sides
