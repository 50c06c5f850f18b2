//! Metrics of what the program needs, and of itself.

use super::{
    Metric, Roles, Unit, counter, gauge,
    labels::{KIND, PURPOSE, ROLE, SPANS_DROPPED, VERSION},
};

/// NATS and the log.
pub const NATS: &[Metric] = &[
    gauge("natter_nats_connected", Unit::Count, Roles::Both, &[PURPOSE])
        .measures("1 while a connection to NATS is up, by what it is for, else 0")
        .look("0")
        .means("for longer than a restart: NATS is down, or its network"),
    counter("natter_nats_disconnects_total", Unit::Count, Roles::Both, &[PURPOSE])
        .measures("times a connection to NATS was lost")
        .look("rises")
        .means("nats-servers restart, or the network breaks"),
    counter("natter_nats_moved_total", Unit::Count, Roles::Both, &[PURPOSE])
        .measures("times a connection left a nats-server that is cut off from others of its cluster")
        .look("not 0")
        .means("look at the network between the nats-servers"),
    counter("natter_nats_slow_consumer_total", Unit::Count, Roles::Both, &[PURPOSE])
        .measures("times the NATS client dropped messages because the process did not take them in time")
        .look("rises")
        .means("the process is starved of CPU; the dropped events are fetched again"),
    counter("natter_unreadable_messages_total", Unit::Count, Roles::Both, &[KIND])
        .measures("messages of other processes that cannot be decoded, by kind")
        .look("not 0")
        .means("processes of different versions, else a bug; the log names the subject once a minute"),
    counter("natter_log_reads_repeated_total", Unit::Count, Roles::Workers, &[])
        .measures("reads of the log that were tried again because NATS did not answer them")
        .look("rises")
        .means("a nats-server was just restarted or a log elects its leader: reads wait for it, up to 3 s"),
    counter("natter_log_lagging_reads_total", Unit::Count, Roles::Workers, &[])
        .measures("reads of the log that waited because the copy they were served from was behind")
        .look("rises")
        .means("a slow disk or network of one nats-server"),
    counter("natter_nats_server_write_errors_total", Unit::Count, Roles::Dev, &[])
        .measures("errors of the child nats-server on writing its log")
        .look("not 0")
        .means("it is restarted once its folder has room"),
    counter("natter_log_lost_total", Unit::Count, Roles::Dev, &[])
        .measures("starts on a log of which a part was gone")
        .look("not 0")
        .means("the process's log has the numbers"),
    gauge("natter_clock_ahead_seconds", Unit::Seconds, Roles::Both, &[])
        .measures("this machine's clock minus that of the NATS servers, in seconds")
        .look("beyond ±1")
        .means("nothing but times in log lines is wrong: see to the NTP of the machine"),
];

/// The state that processes share.
pub const REDIS: &[Metric] = &[
    gauge("natter_shared_state_responds", Unit::Count, Roles::Both, &[])
        .measures("1 while Redis answers, else 0")
        .look("0")
        .means("one caller each half second tries, the others fall back at once"),
    counter("natter_shared_state_skipped_total", Unit::Count, Roles::Both, &[])
        .measures("calls that were not sent because Redis did not answer just before")
        .look("rises")
        .means("Redis did not answer: these calls fell back at once"),
    counter("natter_shared_state_failures_total", Unit::Count, Roles::Both, &[])
        .measures("calls to Redis that were not answered within 100 ms, or with an error")
        .look("rises")
        .means("see what Redis lacks: its log, its memory, the network"),
];

/// The collector of spans.
pub const SPANS: &[Metric] = &[
    counter("natter_spans_exported_total", Unit::Count, Roles::Both, &[])
        .measures("spans that the collector of `OTLP_ENDPOINT` took"),
    counter("natter_spans_dropped_total", Unit::Count, Roles::Both, &[SPANS_DROPPED])
        .measures("spans that were not delivered to the collector, by reason")
        .look("rises")
        .means("`full`: there are more than are sent in time; `refused`: the collector does not take them, see the log"),
];

/// The process itself.
pub const PROCESS: &[Metric] = &[
    gauge("natter_build_info", Unit::Count, Roles::Both, &[ROLE, VERSION])
        .measures("always 1: which role and version a process has")
        .look("the versions differ for longer than an upgrade")
        .means("an upgrade was not finished"),
    counter("natter_panics_total", Unit::Count, Roles::Edges, &[])
        .measures("panics of tasks, each of which ends one request or socket")
        .look("not 0")
        .means("a bug: report it with the log line beside it"),
    counter("process_cpu_seconds_total", Unit::Seconds, Roles::Both, &[])
        .measures("CPU time used, user and system")
        .look("its rate is near the number of cores")
        .means("more processes of that role, or more cores"),
    gauge("process_resident_memory_bytes", Unit::Bytes, Roles::Both, &[])
        .measures("resident memory")
        .look("near the machine's memory, or the container's limit")
        .means("more processes or more memory; a socket that reads slowly takes up to 256 KiB"),
    gauge("process_open_fds", Unit::Count, Roles::Both, &[])
        .measures("open file descriptors; a socket is one")
        .look("near `process_max_fds`")
        .means("raise `ulimit -n`"),
    gauge("process_max_fds", Unit::Count, Roles::Both, &[])
        .measures("limit of open file descriptors (`ulimit -n`)"),
];
