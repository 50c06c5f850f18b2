//! The figures of one node, from the lines of its `/metrics`.

use std::collections::BTreeMap;

use super::samples::{Sample, parse};

/// What passes through a node, in the order in which a message does, and what counts it.
pub const FLOW: [(&str, &str); 5] = [
    ("accepted", "natter_commands_accepted_total"),
    ("acked", "natter_publish_ack_seconds_count"),
    ("delivered", "natter_deliveries_total"),
    ("persisted", "natter_consumed_total"),
    ("mirrored", "natter_mirrored_total"),
];

/// What no node should count, and what it is called here.
pub const ERRORS: [(&str, &str); 19] = [
    ("publish failed", "natter_publish_failed_total"),
    ("http 5xx", "natter_http_seconds_count"),
    ("calls unavailable", "natter_rpc_refused_total"),
    ("calls shed", "natter_rpc_shed_total"),
    ("calls expired", "natter_rpc_expired_total"),
    ("without key", "natter_sends_without_key_total"),
    ("unopened", "natter_unopened_bodies_total"),
    ("undecodable", "natter_undecodable_events_total"),
    ("unreadable rows", "natter_store_unreadable_rows_total"),
    ("unreadable events", "natter_store_unreadable_events_total"),
    ("nats disconnects", "natter_nats_disconnects_total"),
    ("nats slow consumer", "natter_nats_slow_consumer_total"),
    ("redis failures", "natter_shared_state_failures_total"),
    ("kms failures", "natter_kms_failures_total"),
    ("mirror errors", "natter_mirror_errors_total"),
    ("mirror lost", "natter_mirror_lost_total"),
    ("connections refused", "natter_connections_refused_total"),
    ("audit lost", "natter_audit_lost_total"),
    ("panics", "natter_panics_total"),
];

/// The other samples that are read.
const OTHERS: [&str; 13] = [
    "natter_sockets",
    "natter_gaps_found_total",
    "natter_gaps_filled_total",
    "natter_slow_readers_total",
    "natter_closed_total",
    "natter_consume_waiting",
    "natter_mirror_lag",
    "natter_parked_events",
    ACK,
    DELIVERY,
    "natter_build_info",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
];

const ACK: &str = "natter_publish_ack_seconds_bucket";
const DELIVERY: &str = "natter_delivery_seconds_bucket";

/// Labels of one metric that are kept: there are 128 codes, and 256 partitions.
const MOST_LABELS: usize = 256;
/// Bounds of one histogram that are kept; it has 16.
const MOST_BOUNDS: usize = 64;

/// What a node has counted since its start, and what it has now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// By the places of [`FLOW`].
    pub flow: [f64; FLOW.len()],
    /// `None` where the node has none to count: of workers, and of a node that did not answer.
    pub sockets: Option<f64>,
    pub gaps_found: f64,
    pub gaps_filled: f64,
    pub slow_readers: f64,
    /// By code.
    pub closed: BTreeMap<String, f64>,
    pub errors: BTreeMap<&'static str, f64>,
    /// By partition.
    pub persist_behind: BTreeMap<u16, f64>,
    pub mirror_behind: BTreeMap<u16, f64>,
    pub parked: Option<f64>,
    /// From a publish to its ack.
    pub ack: Buckets,
    /// From when the log has an event to the last socket of the node.
    pub delivery: Buckets,
    /// In seconds.
    pub cpu: f64,
    /// In bytes.
    pub memory: Option<f64>,
    pub role: String,
    pub version: String,
}

impl Figures {
    /// The samples that are read, to ask for no others.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FLOW.iter().chain(&ERRORS).map(|(_, name)| *name).chain(OTHERS)
    }

    pub fn read(text: &str) -> Self {
        let mut figures = Self::default();
        text.lines().filter_map(parse).for_each(|sample| figures.take(&sample));
        figures
    }

    fn take(&mut self, sample: &Sample<'_>) {
        let value = sample.value;
        match sample.name {
            "natter_sockets" => add(&mut self.sockets, Some(value)),
            "natter_gaps_found_total" => self.gaps_found += value,
            "natter_gaps_filled_total" => self.gaps_filled += value,
            "natter_slow_readers_total" => self.slow_readers += value,
            "natter_parked_events" => self.parked = Some(value),
            "natter_closed_total" => count(&mut self.closed, sample.label("code").to_owned(), value),
            "natter_consume_waiting" => partition(&mut self.persist_behind, sample),
            "natter_mirror_lag" => partition(&mut self.mirror_behind, sample),
            ACK => self.ack.take(sample),
            DELIVERY => self.delivery.take(sample),
            "process_cpu_seconds_total" => self.cpu = value,
            "process_resident_memory_bytes" => self.memory = Some(value),
            "natter_build_info" => {
                sample.label("role").clone_into(&mut self.role);
                sample.label("version").clone_into(&mut self.version);
            }
            _ => self.take_listed(sample),
        }
    }

    fn take_listed(&mut self, sample: &Sample<'_>) {
        let counts = match sample.name {
            "natter_consumed_total" => {
                sample.label("consumer") == "persist" && sample.label("verdict") == "done"
            }
            "natter_rpc_refused_total" => sample.label("code") == "unavailable",
            "natter_http_seconds_count" => sample.label("status").starts_with('5'),
            _ => true,
        };
        if !counts {
            return;
        }
        if let Some(at) = FLOW.iter().position(|(_, name)| *name == sample.name) {
            self.flow[at] += sample.value;
        } else if let Some((title, _)) = ERRORS.iter().find(|(_, name)| *name == sample.name) {
            *self.errors.entry(title).or_default() += sample.value;
        }
    }

    /// Together with another node's. What workers measure of one log is not added up.
    pub fn add(&mut self, other: &Self) {
        add_flow(&mut self.flow, &other.flow);
        add(&mut self.sockets, other.sockets);
        self.gaps_found += other.gaps_found;
        self.gaps_filled += other.gaps_filled;
        self.slow_readers += other.slow_readers;
        self.cpu += other.cpu;
        add(&mut self.memory, other.memory);
        self.parked = [self.parked, other.parked].into_iter().flatten().reduce(f64::max);
        other.closed.iter().for_each(|(code, closed)| count(&mut self.closed, code.clone(), *closed));
        other.errors.iter().for_each(|(title, errors)| *self.errors.entry(title).or_default() += errors);
        for (mine, others) in [
            (&mut self.persist_behind, &other.persist_behind),
            (&mut self.mirror_behind, &other.mirror_behind),
        ] {
            for (partition, behind) in others {
                highest(mine, *partition, *behind);
            }
        }
    }
}

/// What is known of both.
fn add(mine: &mut Option<f64>, other: Option<f64>) {
    if let Some(other) = other {
        *mine.get_or_insert_default() += other;
    }
}

pub fn add_flow(flow: &mut [f64; FLOW.len()], other: &[f64; FLOW.len()]) {
    flow.iter_mut().zip(other).for_each(|(mine, other)| *mine += other);
}

fn count(counts: &mut BTreeMap<String, f64>, label: String, value: f64) {
    if counts.len() < MOST_LABELS || counts.contains_key(&label) {
        *counts.entry(label).or_default() += value;
    }
}

fn partition(behind: &mut BTreeMap<u16, f64>, sample: &Sample<'_>) {
    if let Ok(p) = sample.label("partition").parse() {
        highest(behind, p, sample.value);
    }
}

fn highest(behind: &mut BTreeMap<u16, f64>, p: u16, value: f64) {
    if behind.len() < MOST_LABELS || behind.contains_key(&p) {
        let highest = behind.entry(p).or_default();
        *highest = highest.max(value);
    }
}

/// Of a histogram: how many were at most so long, by bound.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    fn take(&mut self, sample: &Sample<'_>) {
        if let Ok(bound) = sample.label("le").parse::<f64>()
            && !bound.is_nan()
            && self.0.len() < MOST_BOUNDS
        {
            self.0.push((bound, sample.value));
            self.0.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        }
    }

    /// What came since; everything, if the process began again.
    pub fn since(&self, earlier: &Self) -> Self {
        let total = |buckets: &Self| buckets.0.last().map_or(0.0, |(_, count)| *count);
        if self.0.len() != earlier.0.len() || total(self) < total(earlier) {
            return self.clone();
        }
        Self(self.0.iter().zip(&earlier.0).map(|((bound, now), (_, then))| (*bound, now - then)).collect())
    }

    pub fn add(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
        } else {
            self.0.iter_mut().zip(&other.0).for_each(|((_, mine), (_, other))| *mine += other);
        }
    }

    /// As Prometheus estimates it: evenly within a bucket. What is beyond the last bound is shown as that bound.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = q * self.0.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let at = self.0.iter().position(|(_, count)| *count >= rank)?;
        let (from, below) = if at == 0 { (0.0, 0.0) } else { self.0[at - 1] };
        let (to, count) = self.0[at];
        Some(if to.is_infinite() { from } else { from + (to - from) * (rank - below) / (count - below) })
    }
}

#[cfg(test)]
mod tests {
    use natter_runtime::metrics;

    use super::*;

    #[test]
    fn every_figure_is_of_a_metric_that_nodes_have() {
        let known: Vec<_> = metrics::all().map(|metric| metric.name).collect();
        for name in Figures::names() {
            let metric = name.strip_suffix("_bucket").or_else(|| name.strip_suffix("_count")).unwrap_or(name);
            assert!(known.contains(&metric), "{name}");
        }
    }

    #[test]
    fn every_sample_that_is_asked_for_is_read() {
        let labels = r#"{code="unavailable",consumer="persist",verdict="done",partition="3",le="0.5",status="503",role="edge"}"#;
        for name in Figures::names() {
            assert_ne!(Figures::read(&format!("{name}{labels} 7")), Figures::default(), "{name}");
        }
    }

    #[test]
    fn only_failures_count_as_errors_and_stored_events_as_persisted() {
        let figures = Figures::read(
            "natter_consumed_total{consumer=\"persist\",verdict=\"park\"} 1\n\
             natter_consumed_total{consumer=\"persist\",verdict=\"done\"} 2\n\
             natter_rpc_refused_total{service=\"history\",call=\"page\",code=\"not_found\"} 3\n\
             natter_http_seconds_count{route=\"none\",method=\"GET\",status=\"404\"} 4\n\
             natter_http_seconds_count{route=\"none\",method=\"GET\",status=\"502\"} 5\n",
        );
        assert_eq!(figures.flow.map(Some), [0.0, 0.0, 0.0, 2.0, 0.0].map(Some));
        assert_eq!(figures.errors, BTreeMap::from([("http 5xx", 5.0)]));
    }

    #[test]
    fn what_workers_measure_of_one_log_is_not_added_up() {
        let mut first = Figures::read("natter_mirror_lag{partition=\"1\"} 5\nnatter_parked_events 2\n");
        first.add(&Figures::read(
            "natter_mirror_lag{partition=\"1\"} 3\nnatter_mirror_lag{partition=\"2\"} 9\n",
        ));
        assert_eq!(first.mirror_behind, BTreeMap::from([(1, 5.0), (2, 9.0)]));
        first.add(&Figures::read("natter_parked_events 2\nnatter_sockets 4\n"));
        assert_eq!((first.parked, first.sockets), (Some(2.0), Some(4.0)));
    }

    #[test]
    fn quantiles_are_of_what_came_since() {
        let buckets = |counts: [u32; 4]| {
            let lines = ["0.1", "0.2", "1.2", "+Inf"].iter().zip(counts);
            let lines = lines.map(|(le, n)| format!("natter_delivery_seconds_bucket{{le=\"{le}\"}} {n}\n"));
            Figures::read(&lines.collect::<Vec<_>>().concat()).delivery
        };
        let (then, now) = (buckets([100, 100, 100, 100]), buckets([100, 150, 200, 200]));
        let since = now.since(&then);
        assert_eq!((since.quantile(0.5), since.quantile(0.75)), (Some(0.2), Some(0.7)));
        assert_eq!(now.since(&now).quantile(0.5), None, "nothing came");
        assert_eq!(buckets([0, 0, 0, 4]).quantile(0.99), Some(1.2), "beyond the last bound");
        assert_eq!(then.since(&now), then, "it began again");
    }
}
