//! Every field that a line of the log may have. `docs/log.schema.json` and docs/logs.md are printed from this table, and a
//! test compares it with the code.

/// What is in a field, in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    Integer,
    Number,
    Flag,
}

#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub kind: FieldKind,
    /// For who reads the log: half a sentence.
    pub meaning: &'static str,
}

const fn text(name: &'static str, meaning: &'static str) -> Field {
    Field { name, kind: FieldKind::Text, meaning }
}

const fn integer(name: &'static str, meaning: &'static str) -> Field {
    Field { name, kind: FieldKind::Integer, meaning }
}

const fn number(name: &'static str, meaning: &'static str) -> Field {
    Field { name, kind: FieldKind::Number, meaning }
}

const fn flag(name: &'static str, meaning: &'static str) -> Field {
    Field { name, kind: FieldKind::Flag, meaning }
}

/// By name. A field has the same meaning in every line.
pub const FIELDS: &[Field] = &[
    text("address", "where this process accepts clients"),
    text("admin", "where this process serves metrics and health"),
    integer("after", "events above this seq were asked for"),
    integer("ahead_ms", "by how much this machine's clock is ahead of the log's; behind if negative"),
    integer("attempts", "how often it was tried"),
    text("backtrace", "of a panic, if `RUST_BACKTRACE` asks for it"),
    integer("bytes", "the size of what the line is about"),
    integer(
        "bytes_in",
        "received: of a request its body as its head announces it, of a socket everything after the upgrade",
    ),
    integer(
        "bytes_out",
        "sent: of a request the body of its answer, of a socket everything after the upgrade",
    ),
    text("call", "the call of a service"),
    integer("clients", "how many clients"),
    integer(
        "close",
        "the code that a socket was closed with; none if its connection broke, or its client ended it",
    ),
    text("code", "why something was refused or closed: a code of docs/failures.md"),
    text("consumer", "a consumer of JetStream"),
    text("conversation", "a conversation's id"),
    integer("count", "how many occurrences this line stands for: those since the last line of its kind"),
    integer("done", "how much a step of an erasure has done"),
    text("durability", "`DURABILITY`"),
    number(
        "duration_ms",
        "how long it took: a request until its answer was handed to the connection, a socket until its end",
    ),
    integer("epoch", "the epoch of a data key"),
    text("error", "what went wrong, in the words of whoever failed"),
    text("event", "an event's id, which is its message's id"),
    integer("events", "how many events"),
    text("found", "the end of a Kafka partition, as it was read"),
    integer("from", "the first seq of a range"),
    flag("has_token", "whether a call carried an access token"),
    integer("head", "the newest seq"),
    integer("highest_seq", "the highest of several seqs"),
    text("job", "a job of a worker"),
    integer("keys", "how many keys"),
    text("kind", "what kind of message could not be read"),
    text("list", "which list has a row that cannot be read"),
    text("location", "the line of the source in which a thread panicked"),
    integer("messages", "how many messages"),
    text("method", "the method of a request; `other` if it is none of HTTP's"),
    integer("migration", "the number of a migration of the store"),
    integer("most", "the bound that was reached"),
    integer("nats_port", "the port of a nats-server that this process runs"),
    flag("online", "whether a user came online or went offline"),
    text("operator", "the account on this machine of who ran a command"),
    text("other_versions", "the versions that another process understands"),
    text("panic", "what a thread panicked with"),
    text("partition", "a partition's number"),
    integer("partitions", "how many partitions"),
    text("path", "a file or a folder"),
    text("peer", "the address at the other end of a connection"),
    integer("pid", "a process that this one runs"),
    text("port", "which of this process's ports: `public` or `admin`"),
    integer("position", "where in CONTROL a consumer goes on"),
    text("purpose", "what a connection to NATS is for"),
    text("reason", "why"),
    integer("record", "the number of a record of the audit log"),
    integer("records", "how many records of the audit log"),
    text("request", "a request's id, as in `X-Request-Id` and `requestId`; of a socket that of its upgrade"),
    text("root", "the name of a root of keys"),
    text("route", "the template of a request's path; none for an address that does not exist"),
    integer("seconds", "how long a token is valid"),
    integer("seq", "an event's seq in its partition"),
    text("service", "a service of workers"),
    text("session", "a session's id"),
    integer("sessions", "how many sessions"),
    integer("silent_ms", "for how long nothing came"),
    integer("sockets", "how many sockets"),
    integer("status", "the status of an answer"),
    text("step", "a step of an erasure"),
    integer("stood_ms", "for how long this process stood still"),
    text("stream", "a stream of JetStream"),
    text("subject", "a subject of NATS"),
    integer("subscription", "the number of a subscription on its connection"),
    text("tail", "the last lines of nats-server's own log"),
    text("task", "a task of this process"),
    integer("tasks", "how many tasks"),
    integer("to", "the last seq of a range"),
    integer("took_ms", "how long an answer took"),
    text("topic", "a topic of Kafka"),
    text("trace_id", "the trace that a request belongs to (W3C Trace Context)"),
    integer("unusable", "how many events could not be used"),
    text("user", "a user's id"),
    integer("users", "how many users"),
    text("versions", "the versions that this process understands"),
    integer("wait_ms", "how long is waited before the next attempt"),
];
