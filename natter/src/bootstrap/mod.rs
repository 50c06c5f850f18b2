//! Start-up, each step once, in order: settings, connections, store, shared state, deployment. A command takes the
//! steps that it needs; a role takes all of them, as a node.

mod backends; // what settings name: NATS, the store, Redis
mod audit; // security events of this process, recorded
mod process; // logs, metrics, the admin port, an orderly end
mod rebuild; // an empty store beside a log
mod node; // a process that runs roles: backends, deployment and shared state

pub use audit::{AuditTrail, of_command as audit_of_command, operator};
pub use backends::{Backends, Provisioned, close_store, topology};
pub use node::{Node, roots, start_trace};
pub use process::{Process, bind, observe, report_build};
