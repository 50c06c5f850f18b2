//! Metrics of what happens behind edges.

use super::{
    Metric, Roles, Unit, counter, gauge, histogram,
    labels::{CALL, CODE, CONSUMER, KMS_CALL, LIST, MAIL_OUTCOME, PARTITION, SERVICE, VERDICT},
};

/// Questions of edges to services of workers.
pub const SERVICES: &[Metric] = &[
    histogram("natter_rpc_seconds", Unit::Seconds, Roles::Edges, &[SERVICE, CALL])
        .look("p99 above 0.5 s")
        .means("that service, or the store behind it, is slow: more workers, a faster disk"),
    counter("natter_rpc_refused_total", Unit::Count, Roles::Edges, &[SERVICE, CALL, CODE])
        .look("`unavailable` rises")
        .means("no worker serves that service, or it is too slow"),
    counter("natter_rpc_shed_total", Unit::Count, Roles::Workers, &[SERVICE, CALL])
        .look("rises")
        .means("more calls wait than the service can answer in time: more workers"),
    counter("natter_rpc_expired_total", Unit::Count, Roles::Workers, &[SERVICE, CALL])
        .look("rises")
        .means("a service answers later than callers wait: overload. What only reads is broken off then, a change is finished"),
    counter("natter_reads_refused_total", Unit::Count, Roles::Workers, &[CALL])
        .look("rises")
        .means("an edge asked for a conversation on behalf of a user who is not in it. One at a time a member was being removed just then; more are a bug of the edge: report it with the worker's log line"),
    counter("natter_calls_unproven_total", Unit::Count, Roles::Workers, &[CALL])
        .look("rises")
        .means("a call carried no access token of its user, or one that does not verify: an edge of a version before `CALL_PROOF`, a worker without a key (`JWT_…`) that edges have, or a token that expired on its way; otherwise someone has an edge's NATS user"),
    counter("natter_standstills_total", Unit::Count, Roles::Workers, &[])
        .look("rises")
        .means("the process did not run for half a second or more (suspended, no CPU, a stopped virtual machine); calls it found waiting then count as that old"),
    counter("natter_hashes_refused_total", Unit::Count, Roles::Workers, &[])
        .look("rises")
        .means("too many log-ins at once, or other work fills all cores (hashing only uses what is left); clients that got 429 retry"),
    counter("natter_audit_records_total", Unit::Count, Roles::Workers, &[])
        .look("")
        .means("records that were written to the audit log (`AUDIT_LOG`)"),
    gauge("natter_audit_failing", Unit::Count, Roles::Workers, &[])
        .look("1")
        .means("the audit log cannot be written, mostly because its disk is full: make room; the worker's log has the reason. Nothing else waits for it"),
    counter("natter_audit_lost_total", Unit::Count, Roles::Workers, &[])
        .look("rises")
        .means("audit records found no room while the log could not be written; the next record that is written has their number"),
    counter("natter_audit_copies_lost_total", Unit::Count, Roles::Workers, &[])
        .look("rises")
        .means("audit records were not copied to Kafka, which was away for too long; they are in the audit log"),
    counter("natter_provider_log_ins_refused_total", Unit::Count, Roles::Workers, &[CODE])
        .look("`unavailable` rises")
        .means("the OpenID Connect provider is away, or does not know this client as the settings have it: the worker's log has the reason. Other codes: log-ins that were not proved"),
    counter("natter_mails_total", Unit::Count, Roles::Workers, &[MAIL_OUTCOME])
        .look("`failed` or `refused` rises")
        .means("`retried`, then `failed`: the mail server or `MAIL_COMMAND` takes no mail; the worker's log has the reason. `refused`: as many wait already as may; requests got 503. Users request another mail"),
];

/// From the log to the store, by the job `persist`.
pub const PERSIST: &[Metric] = &[
    counter("natter_consumed_total", Unit::Count, Roles::Workers, &[CONSUMER, VERDICT])
        .look("`persist` does not grow while messages are sent; `park` above 0")
        .means("the store accepts no writes, history reads the log meanwhile; `natter parked list` has the reasons"),
    histogram("natter_consume_batch_seconds", Unit::Seconds, Roles::Workers, &[CONSUMER])
        .look("p99 above 1 s")
        .means("the store is slow to write"),
    gauge("natter_consume_waiting", Unit::Count, Roles::Workers, &[CONSUMER, PARTITION])
        .look("rises for minutes")
        .means("events behind the last batch of a job: how far the store is behind the log, by the highest of the workers' values, each at most 10 s old when nothing comes"),
    histogram("natter_consumed_age_seconds", Unit::Seconds, Roles::Workers, &[CONSUMER])
        .look("p99 above 5 s")
        .means("from when the log had an event until the job was done with it: the store is slow, or was away"),
    gauge("natter_consume_oldest_seconds", Unit::Seconds, Roles::Workers, &[CONSUMER, PARTITION])
        .look("rises")
        .means("age of the oldest event of the last batch that has to be tried again, which holds the floor of its partition; 0: none"),
    gauge("natter_parked_events", Unit::Count, Roles::Workers, &[])
        .look("not 0")
        .means("events that no job could use and an operator has to look at: `natter parked list`. Counted every 10 s"),
    counter("natter_consume_interrupted_total", Unit::Count, Roles::Workers, &[CONSUMER])
        .look("rises")
        .means("a job lost its pull request and started another: the connection to NATS"),
];

/// From the log to Kafka.
pub const MIRROR: &[Metric] = &[
    counter("natter_mirrored_total", Unit::Count, Roles::Workers, &[PARTITION])
        .look("")
        .means("events that Kafka has confirmed"),
    gauge("natter_mirror_lag", Unit::Count, Roles::Workers, &[PARTITION])
        .look("rises for longer than a restart")
        .means("Kafka accepts no events (see the worker's log), or no worker runs `mirror`; the log keeps seven days"),
    gauge("natter_mirror_active", Unit::Count, Roles::Workers, &[PARTITION])
        .look("no worker has 1 while messages are sent")
        .means("nothing is mirrored: no worker runs `mirror`, or Kafka rejects all of them, see their logs"),
    counter("natter_mirror_lost_total", Unit::Count, Roles::Workers, &[])
        .look("not 0")
        .means("Kafka was unavailable for longer than the log reaches back: consumers see the jump in `natter-seq`"),
    counter("natter_mirror_unreadable_total", Unit::Count, Roles::Workers, &[])
        .look("not 0")
        .means("events no job can read; they are parked as well"),
];

/// Kafka, as the mirror meets it.
pub const KAFKA: &[Metric] = &[
    counter("natter_mirror_errors_total", Unit::Count, Roles::Workers, &[])
        .look("rises")
        .means("Kafka is unavailable, rejects records, or its topic belongs to another log: see the worker's log"),
    counter("natter_mirror_interrupted_total", Unit::Count, Roles::Workers, &[])
        .look("rises")
        .means("a mirror lost its pinned consumer or its connection to NATS, or had no keys for texts that go out plain, and started again"),
];

/// What wraps the keys of users.
pub const KEYS: &[Metric] = &[
    histogram("natter_kms_seconds", Unit::Seconds, Roles::Workers, &[KMS_CALL])
        .look("p99 above 0.5 s")
        .means("the Vault or OpenBao of `CHAT_KMS_URL` is slow; conversations whose keys are not known wait for it"),
    counter("natter_kms_failures_total", Unit::Count, Roles::Workers, &[KMS_CALL])
        .look("rises")
        .means("it does not answer, or refuses: its token, its seal, the network; the worker's log has the reason. Keys are known for five minutes, then sends are refused"),
];

/// What the store cannot read.
pub const STORE: &[Metric] = &[
    counter("natter_unopened_profiles_total", Unit::Count, Roles::Workers, &[])
        .look("rises")
        .means("people were shown by their usernames, without their names and addresses: no worker runs `keys`, or it lacks a root, see its log; else damage"),
    counter("natter_store_unreadable_events_total", Unit::Count, Roles::Workers, &[])
        .look("not 0")
        .means("stored events that cannot be decoded, left out of what is rebuilt from them, and shown as placeholders: a version older than its store, else damage; `natter verify` lists them"),
    counter("natter_store_unreadable_rows_total", Unit::Count, Roles::Workers, &[LIST])
        .look("not 0")
        .means("rows of members or conversations that cannot be read, left out of lists: damage; restore the store, or rebuild it from the log"),
    counter("natter_unreadable_conversations_total", Unit::Count, Roles::Workers, &[])
        .look("not 0")
        .means("a conversation could not be read and was left out of a list; the worker's log has its id and the reason"),
    counter("natter_store_rebuilt_events_total", Unit::Count, Roles::Workers, &[])
        .look("not 0")
        .means("the SQLite file was empty beside a log and was rebuilt"),
];
