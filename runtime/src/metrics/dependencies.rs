//! Metrics of what the program needs, and of itself.

use super::{
    Metric, Roles, Unit, counter, gauge,
    labels::{KIND, PURPOSE, ROLE, SPANS_DROPPED, VERSION},
};

/// NATS and the log.
pub const NATS: &[Metric] = &[
    gauge("natter_nats_connected", Unit::Count, Roles::Both, &[PURPOSE])
        .look("0")
        .means("whether the connection is there; 0 for longer than a restart: NATS is down, or its network"),
    counter("natter_nats_disconnects_total", Unit::Count, Roles::Both, &[PURPOSE])
        .look("rises")
        .means("connections between processes break"),
    counter("natter_nats_moved_total", Unit::Count, Roles::Both, &[PURPOSE])
        .look("not 0")
        .means("a nats-server is cut off from others of its cluster: connections have left it for one that reaches more of them"),
    counter("natter_nats_slow_consumer_total", Unit::Count, Roles::Both, &[PURPOSE])
        .look("rises")
        .means("a process is starved of CPU: live events were dropped and are fetched again"),
    counter("natter_unreadable_messages_total", Unit::Count, Roles::Both, &[KIND])
        .look("not 0")
        .means("messages between processes that cannot be decoded: processes of different versions, else a bug; the log names the subject once a minute"),
    counter("natter_log_reads_repeated_total", Unit::Count, Roles::Workers, &[])
        .look("rises")
        .means("a nats-server was just restarted or a log elects its leader: reads wait for it, up to 3 s"),
    counter("natter_log_lagging_reads_total", Unit::Count, Roles::Workers, &[])
        .look("rises")
        .means("a copy of the log is behind its leader: a slow disk or network of one nats-server"),
    counter("natter_nats_server_write_errors_total", Unit::Count, Roles::Dev, &[])
        .look("not 0")
        .means("the child nats-server could not write its log; it is restarted once its folder has room"),
    counter("natter_log_lost_total", Unit::Count, Roles::Dev, &[])
        .look("not 0")
        .means("it started on a log of which a part was gone; its log has the numbers"),
    gauge("natter_clock_ahead_seconds", Unit::Seconds, Roles::Both, &[])
        .look("beyond ±1")
        .means("this machine's clock is not that of the NATS servers; nothing but times in log lines is wrong: see to its NTP"),
];

/// The state that processes share.
pub const REDIS: &[Metric] = &[
    gauge("natter_shared_state_responds", Unit::Count, Roles::Both, &[])
        .look("0")
        .means("Redis does not answer; one caller each half second tries, the others fall back at once"),
    counter("natter_shared_state_skipped_total", Unit::Count, Roles::Both, &[])
        .look("rises")
        .means("calls that fell back at once, because Redis did not answer"),
    counter("natter_shared_state_failures_total", Unit::Count, Roles::Both, &[])
        .look("rises")
        .means("Redis does not answer within 100 ms: see what is down"),
];

/// The collector of spans.
pub const SPANS: &[Metric] = &[
    counter("natter_spans_exported_total", Unit::Count, Roles::Both, &[])
        .means("spans that the collector of `OTLP_ENDPOINT` took"),
    counter("natter_spans_dropped_total", Unit::Count, Roles::Both, &[SPANS_DROPPED])
        .look("rises")
        .means("spans are lost: `full` more of them than are sent in time, `refused` the collector does not take them, see the log"),
];

/// The process itself.
pub const PROCESS: &[Metric] = &[
    gauge("natter_build_info", Unit::Count, Roles::Both, &[ROLE, VERSION])
        .look("the versions differ for longer than an upgrade")
        .means("always 1: which role and version a process has"),
    counter("natter_panics_total", Unit::Count, Roles::Edges, &[])
        .look("not 0")
        .means("a bug: report it with the log line beside it"),
    counter("process_cpu_seconds_total", Unit::Seconds, Roles::Both, &[])
        .look("its rate is near the number of cores")
        .means("CPU time: more processes of that role, or more cores"),
    gauge("process_resident_memory_bytes", Unit::Bytes, Roles::Both, &[])
        .look("near the machine's memory, or the container's limit")
        .means("memory in use; a socket that reads slowly takes up to 256 KiB"),
    gauge("process_open_fds", Unit::Count, Roles::Both, &[])
        .look("near `process_max_fds`")
        .means("open files; a socket is one"),
    gauge("process_max_fds", Unit::Count, Roles::Both, &[])
        .look("")
        .means("how many files may be open: `ulimit -n`"),
];
