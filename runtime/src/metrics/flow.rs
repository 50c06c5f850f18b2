//! Metrics of what clients wait for, in the order in which a message passes.

use super::{
    Metric, Roles, Unit, counter, gauge, histogram,
    labels::{CLASS, CLOSE_CODE, FULL, HANDSHAKE_FAILURE, METHOD, PORT, PUBLISH_FAILURE, ROUTE, STATUS},
};

/// What clients connect with: HTTP, sockets, TLS and limits.
pub const CLIENTS: &[Metric] = &[
    histogram("natter_http_seconds", Unit::Seconds, Roles::Edges, &[ROUTE, METHOD, STATUS])
        .look("p99 rises, 5xx appear")
        .means("which route is slow or fails; then `natter_rpc_seconds`"),
    gauge("natter_sockets", Unit::Count, Roles::Edges, &[])
        .look("drops suddenly")
        .means("an edge, or the network path to it, is down; see `natter_closed_total`"),
    counter("natter_closed_total", Unit::Count, Roles::Edges, &[CLOSE_CODE])
        .look("one code rises")
        .means("why sockets end, by the names of [failures.md](failures.md)"),
    gauge("natter_connections", Unit::Count, Roles::Edges, &[])
        .look("near `MAX_CONNECTIONS`")
        .means("open connections, sockets included"),
    counter("natter_connections_refused_total", Unit::Count, Roles::Edges, &[FULL])
        .look("rises")
        .means("`address`: one address has as many as it may; `node`: this edge has, or too few files may be opened (`ulimit -n`)"),
    counter("natter_connections_stalled_total", Unit::Count, Roles::Edges, &[])
        .look("rises")
        .means("HTTP clients that do not read their answers were cut off after 15 s"),
    counter("natter_rate_limited_total", Unit::Count, Roles::Edges, &[CLASS])
        .look("rises")
        .means("a client is too fast, or a limit too tight; `account`: one account is tried again and again; `calls`: a user has too many HTTP calls under way"),
    gauge("natter_tls_certificate_expires_timestamp_seconds", Unit::Seconds, Roles::Both, &[PORT])
        .look("less than a week after `time()`")
        .means("when the certificate of a port expires: `public` (`TLS_CERT`), `admin` (`ADMIN_TLS_CERT`)"),
    counter("natter_tls_reload_failures_total", Unit::Count, Roles::Both, &[PORT])
        .look("rises")
        .means("replaced files could not be used, the certificate before is still in use; the log says why"),
    counter("natter_tls_handshakes_failed_total", Unit::Count, Roles::Both, &[PORT, HANDSHAKE_FAILURE])
        .look("rises")
        .means("`timeout`: silent for 10 s; `closed`: the client left, as port scans do; `refused`: no TLS, no common version, or the client does not trust the certificate"),
];

/// Commands of clients that are decided.
pub const ACCEPT: &[Metric] = &[
    counter("natter_commands_accepted_total", Unit::Count, Roles::Edges, &[])
        .look("does not grow while people send")
        .means("messages, edits, deletions and reactions that may be published: what is not acked by then waits for the log"),
    counter("natter_sends_without_key_total", Unit::Count, Roles::Edges, &[])
        .look("rises")
        .means("sends and edits were refused with `unavailable` because there was no key to seal them with: no worker runs `keys`, or its store or KMS is away for longer than `CHAT_KEY_CACHE`"),
    counter("natter_sends_not_looked_up_total", Unit::Count, Roles::Edges, &[])
        .look("rises")
        .means("sends went on although the history service did not answer: a message sent again after five minutes is not recognized until it does"),
    counter("natter_changes_repeated_total", Unit::Count, Roles::Edges, &[])
        .look("rises by hundreds a second")
        .means("edits, reactions and deletions are decided again because events came meanwhile: one conversation is very busy; beyond 3 s they are answered 503"),
    counter("natter_group_changes_repeated_total", Unit::Count, Roles::Workers, &[])
        .look("rises by thousands an hour")
        .means("changes of groups were decided again because events came meanwhile: a script changes the members of a very busy group"),
];

/// From a command that was accepted to its ack.
pub const ACK: &[Metric] = &[
    histogram("natter_publish_ack_seconds", Unit::Seconds, Roles::Both, &[])
        .look("p99 above 0.1 s")
        .means("the log's disk is slow, or NATS changes leaders"),
    counter("natter_publish_duplicates_total", Unit::Count, Roles::Both, &[])
        .look("rises faster than sends")
        .means("the log had these events already: clients send again what was acked, because acks do not reach them"),
    counter("natter_publish_retries_total", Unit::Count, Roles::Both, &[])
        .look("rises")
        .means("acks came late; nothing is lost, clients wait"),
    counter("natter_publish_failed_total", Unit::Count, Roles::Both, &[PUBLISH_FAILURE])
        .look("rises")
        .means("`disk`: the log's disk is full or fails; `full`: `LOG_MAX_BYTES` is reached; `timeout`: NATS did not answer; `rolled_back`: it gave a seq out again. Senders got `unavailable`"),
    histogram("natter_publish_batch_events", Unit::Count, Roles::Edges, &[])
        .look("")
        .means("*durable* only: how many events one commit carries; grows with load"),
    counter("natter_publish_batches_refused_total", Unit::Count, Roles::Edges, &[])
        .look("rises with load")
        .means("clients send what is stored already; their batches are published event by event, which is slower"),
];

/// From the log to sockets.
pub const DELIVER: &[Metric] = &[
    counter("natter_deliveries_total", Unit::Count, Roles::Edges, &[])
        .look("does not grow while messages are sent")
        .means("live events do not arrive: NATS, the edge's connection"),
    histogram("natter_delivery_seconds", Unit::Seconds, Roles::Edges, &[])
        .look("p99 above 0.5 s")
        .means("from the time an event has until its last socket of this edge has it, or is closed for not reading. Slow: `natter_publish_ack_seconds`, gaps, sealed texts without a key, readers that do not read"),
    counter("natter_slow_readers_total", Unit::Count, Roles::Edges, &[])
        .look("rises")
        .means("sockets that do not read are closed with 4008; they resume. Many at once: the edge's network"),
    counter("natter_socket_writes_total", Unit::Count, Roles::Edges, &[])
        .look("")
        .means("system calls to sockets; deliveries for each of them grow with load"),
    counter("natter_live_jumps_total", Unit::Count, Roles::Edges, &[])
        .look("rises")
        .means("live events were lost in transit; harmless while gaps are filled"),
    counter("natter_gaps_found_total", Unit::Count, Roles::Edges, &[])
        .look("they diverge")
        .means("an edge missed events and cannot fill them: history does not answer"),
    counter("natter_gaps_filled_total", Unit::Count, Roles::Edges, &[])
        .look("they diverge")
        .means("an edge missed events and cannot fill them: history does not answer"),
    histogram("natter_gap_fill_seconds", Unit::Seconds, Roles::Edges, &[])
        .look("p99 above 2 s")
        .means("messages are shown late: history, or its store, is slow"),
    counter("natter_edits_of_deleted_total", Unit::Count, Roles::Edges, &[])
        .look("rises")
        .means("an edit arrived behind the deletion of its message and was sent without its text: an edge of an earlier version still runs"),
    counter("natter_presence_dropped_total", Unit::Count, Roles::Edges, &[])
        .look("rises")
        .means("heartbeats came faster than Redis accepted them: Redis is slow, or there are too few edges"),
    counter("natter_undecodable_events_total", Unit::Count, Roles::Edges, &[])
        .look("not 0")
        .means("a bug, or a node older than its log: finish the upgrade, else report it"),
    counter("natter_unopened_bodies_total", Unit::Count, Roles::Edges, &[])
        .look("rises")
        .means("sealed messages were shown as unreadable: no worker runs `keys`, or it lacks a root, see its log; else damage"),
];
