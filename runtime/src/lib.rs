//! What every process of Natter needs to run: settings, logs and metrics, an orderly end, and the state
//! that processes share without keeping it.

pub mod config; // settings from the environment, each refused with an error message when it is wrong
pub mod access_token; // whose a call or a socket is
pub mod rates; // rate limits: classes, rules, their text form

pub mod lifecycle; // tasks with owners, signals, drain
pub mod logs; // one line an occurrence, and the table of every field
pub mod metrics; // the table of every metric, and where they are kept
pub mod otlp; // spans to a collector
pub mod audit; // records of security events, chained by hashes
pub mod sampled; // what happens often is logged now and then
pub mod unreadable; // messages that cannot be decoded: counted, and logged at most once a minute
pub mod readiness; // whether this process can do its work now
mod tls_listener; // handshakes of the admin port
pub mod admin; // GET /metrics and /health on the admin port

pub mod shared_state; // presence, idempotency records, token buckets: memory (one process), redis (several)
