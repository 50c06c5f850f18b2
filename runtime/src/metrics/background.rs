//! Metrics of what happens behind edges.

use super::{
    Metric, Roles, Unit, counter, gauge, histogram,
    labels::{CALL, CODE, CONSUMER, KMS_CALL, LIST, MAIL_OUTCOME, PARTITION, SERVICE, VERDICT},
};

/// Questions of edges to services of workers.
pub const SERVICES: &[Metric] = &[
    histogram("natter_rpc_seconds", Unit::Seconds, Roles::Edges, &[SERVICE, CALL])
        .measures("time from asking a service to its answer or the timeout")
        .look("p99 above 0.5 s")
        .means("that service, or the store behind it, is slow: more workers, a faster disk"),
    counter("natter_rpc_refused_total", Unit::Count, Roles::Edges, &[SERVICE, CALL, CODE])
        .measures("calls answered with an error, or not at all, by code")
        .look("`unavailable` rises")
        .means("no worker serves that service, or it is too slow"),
    counter("natter_rpc_shed_total", Unit::Count, Roles::Workers, &[SERVICE, CALL])
        .measures("calls refused on arrival because more wait than can be answered in time")
        .look("rises")
        .means("more workers"),
    counter("natter_rpc_expired_total", Unit::Count, Roles::Workers, &[SERVICE, CALL])
        .measures("calls whose caller had stopped waiting before they were answered")
        .look("rises")
        .means("overload. What only reads is broken off then, a change is finished"),
    counter("natter_reads_refused_total", Unit::Count, Roles::Workers, &[CALL])
        .measures("reads of conversations whose user is not a member")
        .look("rises")
        .means("one at a time: a member was being removed just then. More are a bug of the edge: report it with the worker's log line"),
    counter("natter_calls_unproven_total", Unit::Count, Roles::Workers, &[CALL])
        .measures("calls refused because the access token of their user is missing or does not verify")
        .look("rises")
        .means("an edge of a version before `CALL_PROOF`, a worker without a key (`JWT_…`) that edges have, or a token that expired on its way; otherwise someone has an edge's NATS user"),
    counter("natter_standstills_total", Unit::Count, Roles::Workers, &[])
        .measures("times the process did not run for half a second or more")
        .look("rises")
        .means("suspended, no CPU, a stopped virtual machine; calls it found waiting then count as that old"),
    counter("natter_hashes_refused_total", Unit::Count, Roles::Workers, &[])
        .measures("password hashes refused because too many were waiting")
        .look("rises")
        .means("too many log-ins at once, or other work fills all cores (hashing only uses what is left); clients that got 429 retry"),
    counter("natter_audit_records_total", Unit::Count, Roles::Workers, &[])
        .measures("records written to the audit log (`AUDIT_LOG`)"),
    gauge("natter_audit_failing", Unit::Count, Roles::Workers, &[])
        .measures("1 while the audit log cannot be written, else 0")
        .look("1")
        .means("mostly its disk is full: make room; the worker's log has the reason. Nothing else waits for it"),
    counter("natter_audit_lost_total", Unit::Count, Roles::Workers, &[])
        .measures("audit records discarded while the audit log could not be written")
        .look("rises")
        .means("the next record that is written has their number"),
    counter("natter_audit_copies_lost_total", Unit::Count, Roles::Workers, &[])
        .measures("audit records not copied to Kafka")
        .look("rises")
        .means("Kafka was away for too long; they are in the audit log"),
    counter("natter_provider_log_ins_refused_total", Unit::Count, Roles::Workers, &[CODE])
        .measures("log-ins by the OpenID Connect provider that were refused, by code")
        .look("`unavailable` rises")
        .means("the OpenID Connect provider is away, or does not know this client as the settings have it: the worker's log has the reason. Other codes: log-ins that were not proved"),
    counter("natter_mails_total", Unit::Count, Roles::Workers, &[MAIL_OUTCOME])
        .measures("mails by outcome: `sent`, `retried`, `failed` (given up), `refused` (too many were waiting)")
        .look("`failed` or `refused` rises")
        .means("the mail server or `MAIL_COMMAND` takes no mail; the worker's log has the reason. `refused`: requests got 503. Users request another mail"),
];

/// From the log to the store, by the job `persist`.
pub const PERSIST: &[Metric] = &[
    counter("natter_consumed_total", Unit::Count, Roles::Workers, &[CONSUMER, VERDICT])
        .measures("events that a job has finished with, by outcome: `done`, `retry` (tried again later), `park` (set aside for an operator)")
        .look("`persist` does not grow while messages are sent; `park` above 0")
        .means("the store accepts no writes, history reads the log meanwhile; `natter parked list` has the reasons"),
    histogram("natter_consume_batch_seconds", Unit::Seconds, Roles::Workers, &[CONSUMER])
        .measures("time that a job takes for one batch of events")
        .look("p99 above 1 s")
        .means("the store is slow to write"),
    gauge("natter_consume_waiting", Unit::Count, Roles::Workers, &[CONSUMER, PARTITION])
        .measures("events in the log behind the last batch of a job, at most 10 s old")
        .look("rises for minutes")
        .means("the store is behind the log by this, the highest of the workers' values of a partition"),
    histogram("natter_consumed_age_seconds", Unit::Seconds, Roles::Workers, &[CONSUMER])
        .measures("time from the log's timestamp of an event until a job has finished with it")
        .look("p99 above 5 s")
        .means("the store is slow, or was away"),
    gauge("natter_consume_oldest_seconds", Unit::Seconds, Roles::Workers, &[CONSUMER, PARTITION])
        .measures("age of the oldest event of the last batch that has to be tried again, 0 if there is none; it holds the floor of its partition")
        .look("rises")
        .means("an event is tried again and again: the worker's log has the reason"),
    gauge("natter_parked_events", Unit::Count, Roles::Workers, &[])
        .measures("events set aside because no job can use them, counted every 10 s")
        .look("not 0")
        .means("`natter parked list` has them, with their reasons"),
    counter("natter_consume_interrupted_total", Unit::Count, Roles::Workers, &[CONSUMER])
        .measures("times a job lost its pull request and started another")
        .look("rises")
        .means("the connection to NATS"),
];

/// From the log to Kafka.
pub const MIRROR: &[Metric] = &[
    counter("natter_mirrored_total", Unit::Count, Roles::Workers, &[PARTITION])
        .measures("events that Kafka has confirmed"),
    gauge("natter_mirror_lag", Unit::Count, Roles::Workers, &[PARTITION])
        .measures("events in the log that Kafka has not confirmed")
        .look("rises for longer than a restart")
        .means("Kafka accepts no events (see the worker's log), or no worker runs `mirror`; the log keeps seven days"),
    gauge("natter_mirror_active", Unit::Count, Roles::Workers, &[PARTITION])
        .measures("1 on the worker that mirrors this partition, else 0")
        .look("no worker has 1 while messages are sent")
        .means("nothing is mirrored: no worker runs `mirror`, or Kafka rejects all of them, see their logs"),
    counter("natter_mirror_lost_total", Unit::Count, Roles::Workers, &[])
        .measures("events that the log no longer had when the mirror came to them")
        .look("not 0")
        .means("Kafka was unavailable for longer than the log reaches back: consumers see the jump in `natter-seq`"),
    counter("natter_mirror_unreadable_total", Unit::Count, Roles::Workers, &[])
        .measures("events that the mirror cannot decode; they are parked")
        .look("not 0")
        .means("`natter parked list` has the reasons"),
];

/// Kafka, as the mirror meets it.
pub const KAFKA: &[Metric] = &[
    counter("natter_mirror_errors_total", Unit::Count, Roles::Workers, &[])
        .measures("failures to write to Kafka")
        .look("rises")
        .means("Kafka is unavailable, rejects records, or its topic belongs to another log: see the worker's log"),
    counter("natter_mirror_interrupted_total", Unit::Count, Roles::Workers, &[])
        .measures("times the mirror of a partition lost its consumer, its connection to NATS or its keys, and started again")
        .look("rises")
        .means("connections to NATS break, or no worker runs `keys` for texts that go out plain; the worker's log has the reason"),
];

/// What wraps the keys of users.
pub const KEYS: &[Metric] = &[
    histogram("natter_kms_seconds", Unit::Seconds, Roles::Workers, &[KMS_CALL])
        .measures("time of calls to the Vault or OpenBao of `CHAT_KMS_URL`")
        .look("p99 above 0.5 s")
        .means("conversations whose keys are not known wait for it"),
    counter("natter_kms_failures_total", Unit::Count, Roles::Workers, &[KMS_CALL])
        .measures("calls to the Vault or OpenBao of `CHAT_KMS_URL` that failed")
        .look("rises")
        .means("it does not answer, or refuses: its token, its seal, the network; the worker's log has the reason. Keys are known for five minutes, then sends are refused"),
];

/// What the store cannot read.
pub const STORE: &[Metric] = &[
    counter("natter_unopened_profiles_total", Unit::Count, Roles::Workers, &[])
        .measures("users shown by their usernames alone, because the key of their names and addresses is missing")
        .look("rises")
        .means("no worker runs `keys`, or it lacks a root, see its log; else damage"),
    counter("natter_store_unreadable_events_total", Unit::Count, Roles::Workers, &[])
        .measures("stored events that cannot be decoded")
        .look("not 0")
        .means("a version older than its store, else damage; `natter verify` lists them. Clients see placeholders"),
    counter("natter_store_unreadable_rows_total", Unit::Count, Roles::Workers, &[LIST])
        .measures("rows of members or conversations that cannot be read, by list")
        .look("not 0")
        .means("damage; restore the store, or rebuild it from the log"),
    counter("natter_unreadable_conversations_total", Unit::Count, Roles::Workers, &[])
        .measures("conversations left out of a list because they could not be read")
        .look("not 0")
        .means("the worker's log has the id and the reason"),
    counter("natter_store_rebuilt_events_total", Unit::Count, Roles::Workers, &[])
        .measures("events copied from the log into an empty SQLite file")
        .look("not 0")
        .means("the SQLite file was empty beside a log"),
];
