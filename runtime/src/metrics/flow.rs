//! Metrics of what clients wait for, in the order in which a message passes.

use super::{
    Metric, Roles, Unit, counter, gauge, histogram,
    labels::{CLASS, CLOSE_CODE, FULL, HANDSHAKE_FAILURE, METHOD, PORT, PUBLISH_FAILURE, ROUTE, STATUS},
};

/// What clients connect with: HTTP, sockets, TLS and limits.
pub const CLIENTS: &[Metric] = &[
    histogram("natter_http_seconds", Unit::Seconds, Roles::Edges, &[ROUTE, METHOD, STATUS])
        .measures("time to answer a request, by route template, method and status")
        .look("p99 rises, 5xx appear")
        .means("which route is slow or fails; then `natter_rpc_seconds`"),
    gauge("natter_sockets", Unit::Count, Roles::Edges, &[])
        .measures("sockets whose `hello` was accepted and that are open")
        .look("drops suddenly")
        .means("an edge, or the network path to it, is down; see `natter_closed_total`"),
    counter("natter_closed_total", Unit::Count, Roles::Edges, &[CLOSE_CODE])
        .measures("sockets that this edge closed after their `hello` was accepted, by the code that it gave")
        .look("one code rises")
        .means("each code is explained in [failures.md](failures.md)"),
    gauge("natter_connections", Unit::Count, Roles::Edges, &[])
        .measures("open client connections, sockets included")
        .look("near `MAX_CONNECTIONS`")
        .means("new clients will be refused: more edges, or a higher `MAX_CONNECTIONS`"),
    counter("natter_connections_refused_total", Unit::Count, Roles::Edges, &[FULL])
        .measures("client connections closed right after they were accepted, because of a limit")
        .look("rises")
        .means("`address`: one address has as many as it may; `node`: this edge has, or too few files may be opened (`ulimit -n`)"),
    counter("natter_connections_stalled_total", Unit::Count, Roles::Edges, &[])
        .measures("HTTP connections cut off because the client did not read its answer for 15 s")
        .look("rises")
        .means("clients that do not read their answers, or a slow network path to them"),
    counter("natter_rate_limited_total", Unit::Count, Roles::Edges, &[CLASS])
        .measures("requests and frames refused with `rate_limited`, by class of limit")
        .look("rises")
        .means("a client is too fast, or a limit too tight; `account`: one account is tried again and again; `calls`: a user has too many HTTP calls under way"),
    gauge("natter_tls_certificate_expires_timestamp_seconds", Unit::Seconds, Roles::Both, &[PORT])
        .measures("when the certificate of a port expires, in seconds since 1970: `public` (`TLS_CERT`), `admin` (`ADMIN_TLS_CERT`)")
        .look("less than a week after `time()`")
        .means("replace the files; the process takes them up by itself"),
    counter("natter_tls_reload_failures_total", Unit::Count, Roles::Both, &[PORT])
        .measures("replaced certificate files that could not be used")
        .look("rises")
        .means("the certificate before is still in use; the log says why"),
    counter("natter_tls_handshakes_failed_total", Unit::Count, Roles::Both, &[PORT, HANDSHAKE_FAILURE])
        .measures("TLS handshakes that did not complete")
        .look("rises")
        .means("`timeout`: silent for 10 s; `closed`: the client left, as port scans do; `refused`: no TLS, no common version, or the client does not trust the certificate"),
];

/// Commands of clients that are decided.
pub const ACCEPT: &[Metric] = &[
    counter("natter_commands_accepted_total", Unit::Count, Roles::Edges, &[])
        .measures("messages, edits, deletions and reactions that passed all checks")
        .look("does not grow while people send")
        .means("what is accepted and not acked waits for the log; if this stands still too, clients do not get through"),
    counter("natter_sends_without_key_total", Unit::Count, Roles::Edges, &[])
        .measures("sends and edits refused with `unavailable` because there was no key to seal them with")
        .look("rises")
        .means("no worker runs `keys`, or its store or KMS is away for longer than `CHAT_KEY_CACHE`"),
    counter("natter_sends_not_looked_up_total", Unit::Count, Roles::Edges, &[])
        .measures("sends published without asking the history service whether they are repetitions, because it did not answer")
        .look("rises")
        .means("a message sent again after five minutes is not recognized until history answers"),
    counter("natter_changes_repeated_total", Unit::Count, Roles::Edges, &[])
        .measures("times an edit, a deletion or a reaction was decided again because other events of its conversation came first")
        .look("rises by hundreds a second")
        .means("one conversation is very busy; beyond 3 s such changes are answered 503"),
    counter("natter_group_changes_repeated_total", Unit::Count, Roles::Workers, &[])
        .measures("times a change of a group was decided again because other events of its conversation came first")
        .look("rises by thousands an hour")
        .means("a script changes the members of a very busy group"),
];

/// From a command that was accepted to its ack.
pub const ACK: &[Metric] = &[
    histogram("natter_publish_ack_seconds", Unit::Seconds, Roles::Both, &[])
        .measures("time from handing an event to the publisher to the log's ack, retries included; events that failed are not in it")
        .look("p99 above 0.1 s")
        .means("the log's disk is slow, or NATS changes leaders"),
    counter("natter_publish_duplicates_total", Unit::Count, Roles::Both, &[])
        .measures("publishes that the log answered as duplicates of events it has")
        .look("rises faster than sends")
        .means("clients send again what was acked, because acks do not reach them"),
    counter("natter_publish_retries_total", Unit::Count, Roles::Both, &[])
        .measures("attempts to publish that were repeated with the same id because no ack came in time")
        .look("rises")
        .means("the log is slow to answer; nothing is lost, clients wait"),
    counter("natter_publish_failed_total", Unit::Count, Roles::Both, &[PUBLISH_FAILURE])
        .measures("events given up without an ack, by reason")
        .look("rises")
        .means("`disk`: the log's disk is full or fails; `full`: `LOG_MAX_BYTES` is reached; `timeout`: NATS did not answer; `rolled_back`: it gave a seq out again. Senders got `unavailable`"),
    histogram("natter_publish_batch_events", Unit::Count, Roles::Edges, &[])
        .measures("events in each atomic batch that was committed to the log; only with `DURABILITY=durable`, from when several events wait for the log at once"),
    counter("natter_publish_batches_refused_total", Unit::Count, Roles::Edges, &[])
        .measures("atomic batches that the log refused as a whole")
        .look("rises with load")
        .means("clients send what is stored already; their batches are published event by event, which is slower"),
];

/// From the log to sockets.
pub const DELIVER: &[Metric] = &[
    counter("natter_deliveries_total", Unit::Count, Roles::Edges, &[])
        .measures("live events queued to sockets, one for each socket")
        .look("does not grow while messages are sent")
        .means("live events do not arrive: NATS, the edge's connection"),
    histogram("natter_delivery_seconds", Unit::Seconds, Roles::Edges, &[])
        .measures("time from the log's timestamp of an event to the write to its last socket of this edge")
        .look("p99 above 0.5 s")
        .means("the clock of this machine is corrected by the log's. Slow: `natter_publish_ack_seconds`, gaps, sealed texts without a key, readers that do not read"),
    counter("natter_slow_readers_total", Unit::Count, Roles::Edges, &[])
        .measures("sockets closed with 4008 because they did not read")
        .look("rises")
        .means("they resume when they reconnect. Many at once: the edge's network"),
    counter("natter_socket_writes_total", Unit::Count, Roles::Edges, &[])
        .measures("writes to sockets (system calls)"),
    counter("natter_live_jumps_total", Unit::Count, Roles::Edges, &[])
        .measures("jumps in the numbers of a partition's live events, each followed by a comparison of its rooms with their heads")
        .look("rises")
        .means("live events were lost in transit; harmless while gaps are filled"),
    counter("natter_gaps_found_total", Unit::Count, Roles::Edges, &[])
        .measures("gaps in the events of a conversation that an edge began to fill")
        .look("they diverge")
        .means("gaps that are found and not filled: history does not answer"),
    counter("natter_gaps_filled_total", Unit::Count, Roles::Edges, &[])
        .measures("gaps in the events of a conversation that an edge filled, before a client saw them")
        .look("they diverge")
        .means("gaps that are found and not filled: history does not answer"),
    histogram("natter_gap_fill_seconds", Unit::Seconds, Roles::Edges, &[])
        .measures("time from finding a gap to filling it")
        .look("p99 above 2 s")
        .means("messages are shown late: history, or its store, is slow"),
    counter("natter_edits_of_deleted_total", Unit::Count, Roles::Edges, &[])
        .measures("edits that arrived behind the deletion of their message and were sent without their text")
        .look("rises")
        .means("an edge of an earlier version still runs"),
    counter("natter_presence_dropped_total", Unit::Count, Roles::Edges, &[])
        .measures("presence updates discarded because the queue to Redis was full")
        .look("rises")
        .means("Redis is slow, or there are too few edges"),
    counter("natter_undecodable_events_total", Unit::Count, Roles::Edges, &[])
        .measures("live and fetched events that this edge cannot decode")
        .look("not 0")
        .means("a bug, or a node older than its log: finish the upgrade, else report it"),
    counter("natter_unopened_bodies_total", Unit::Count, Roles::Edges, &[])
        .measures("sealed messages sent to clients as unreadable, for want of a key")
        .look("rises")
        .means("no worker runs `keys`, or it lacks a root, see its log; else damage"),
];
