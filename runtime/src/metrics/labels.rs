//! Labels. Each has a set of values that requests cannot enlarge: no user, conversation or address is a label.

use natter_schemas::{code::Code, limits};

/// A label and what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    pub name: &'static str,
    pub values: Values,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    These(&'static [&'static str]),
    /// Named by the code or by a setting: what they are, and how many there can be.
    AsMany(&'static str, usize),
}

impl Values {
    pub const fn count(self) -> usize {
        match self {
            Self::These(values) => values.len(),
            Self::AsMany(_, count) => count,
        }
    }
}

const fn these(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values: Values::These(values) }
}

const fn as_many(name: &'static str, what: &'static str, count: usize) -> Label {
    Label { name, values: Values::AsMany(what, count) }
}

pub const CALL: Label = as_many("call", "calls of that service", 64);
pub const CLASS: Label = these(
    "class",
    &[
        "login", "send", "write", "groups", "read", "search", "frames", "mail", "renew", "address",
        "account", "calls",
    ],
);
pub const CLOSE_CODE: Label = these("code", &CLOSING);
pub const CODE: Label = as_many("code", "codes of failures.md", 128);
pub const FULL: Label = these("reason", &["node", "address"]);
pub const HANDSHAKE_FAILURE: Label = these("reason", &["timeout", "closed", "refused"]);
/// Not `job`: Prometheus gives every series a label of that name.
pub const CONSUMER: Label = these("consumer", &["persist"]);
pub const KMS_CALL: Label = these("call", &["encrypt", "decrypt"]);
pub const KIND: Label = these("kind", &["control", "live event", "read mark", "presence", "typing", "event"]);
pub const LIST: Label = these("list", &["conversations", "members", "memberships"]);
pub const MAIL_OUTCOME: Label = these("outcome", &["sent", "retried", "failed", "refused"]);
pub const METHOD: Label =
    these("method", &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"]);
pub const PARTITION: Label =
    as_many("partition", "partitions, `PARTITIONS`", limits::PARTITIONS_MAX as usize);
pub const PORT: Label = these("port", &["public", "admin"]);
pub const PUBLISH_FAILURE: Label = these("reason", &["timeout", "full", "disk", "rolled_back"]);
pub const PURPOSE: Label = these("purpose", &["publish", "live", "rpc", "work", "provision"]);
pub const ROUTE: Label = as_many("route", "path templates of the API, or `none`", 256);
pub const ROLE: Label = these("role", &["dev", "edge", "worker"]);
pub const SERVICE: Label = these("service", &["accounts", "conversations", "history", "inbox", "keys"]);
pub const SPANS_DROPPED: Label = these("reason", &["full", "refused"]);
pub const STATUS: Label = as_many("status", "HTTP statuses that are answered", 32);
pub const VERDICT: Label = these("verdict", &["done", "retry", "park"]);
pub const VERSION: Label = as_many("version", "the version of the program", 1);

/// Codes that close a socket.
const CLOSING: [&str; count_closing()] = {
    let (mut names, mut found, mut at) = ([""; count_closing()], 0, 0);
    while at < Code::ALL.len() {
        if Code::ALL[at].row().close.is_some() {
            names[found] = Code::ALL[at].name();
            found += 1;
        }
        at += 1;
    }
    names
};

const fn count_closing() -> usize {
    let (mut count, mut at) = (0, 0);
    while at < Code::ALL.len() {
        count += Code::ALL[at].row().close.is_some() as usize;
        at += 1;
    }
    count
}
