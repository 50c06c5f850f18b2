//! Every metric of the program, once: the help at `GET /metrics`, docs/metrics.md and the dashboards come from this
//! table, and a test compares it with the code in both directions.

mod flow; // clients, accepted, acked, delivered
mod background; // persisted, mirrored; services, keys, the store, Kafka
mod dependencies; // NATS, Redis, the process
mod labels; // labels and their closed sets of values
mod recorder; // where they are kept, for Prometheus

pub use labels::{Label, Values};
pub use recorder::start;

/// A metric as it is documented.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub roles: Roles,
    pub labels: &'static [Label],
    /// What its value is.
    pub measured: &'static str,
    /// When to look at it; empty: it is for information only.
    pub look: &'static str,
    /// What that means and what to do.
    pub meaning: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    Seconds,
    Bytes,
}

/// Which processes have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    Edges,
    Workers,
    Both,
    /// Only `natter dev`.
    Dev,
}

/// Metrics that are looked at together.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    pub title: &'static str,
    pub metrics: &'static [Metric],
}

/// In the order in which a message passes, then what the program needs.
pub const STAGES: &[Stage] = &[
    Stage { title: "Clients", metrics: flow::CLIENTS },
    Stage { title: "Accepted", metrics: flow::ACCEPT },
    Stage { title: "Acked", metrics: flow::ACK },
    Stage { title: "Delivered", metrics: flow::DELIVER },
    Stage { title: "Persisted", metrics: background::PERSIST },
    Stage { title: "Mirrored", metrics: background::MIRROR },
    Stage { title: "Services", metrics: background::SERVICES },
    Stage { title: "NATS", metrics: dependencies::NATS },
    Stage { title: "Store", metrics: background::STORE },
    Stage { title: "Kafka", metrics: background::KAFKA },
    Stage { title: "Redis", metrics: dependencies::REDIS },
    Stage { title: "Keys", metrics: background::KEYS },
    Stage { title: "Spans", metrics: dependencies::SPANS },
    Stage { title: "Process", metrics: dependencies::PROCESS },
];

/// Seconds: fine around the 1–50 ms where acks and requests live.
pub const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

pub fn all() -> impl Iterator<Item = &'static Metric> {
    STAGES.iter().flat_map(|stage| stage.metrics)
}

/// Gives every metric its help in the recorder that is installed.
pub fn describe() {
    for metric in all().filter(|metric| metric.is_own()) {
        let (name, help) = (metric.name, metric.measured);
        let unit = match metric.unit {
            Unit::Count => metrics::Unit::Count,
            Unit::Seconds => metrics::Unit::Seconds,
            Unit::Bytes => metrics::Unit::Bytes,
        };
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(name, unit, help),
            Kind::Gauge => metrics::describe_gauge!(name, unit, help),
            Kind::Histogram => metrics::describe_histogram!(name, unit, help),
        }
    }
}

/// Counters whose labels are closed begin at 0: Prometheus sees no increase in one that appears with its first event.
pub fn start_counters() {
    for metric in all().filter(|metric| metric.is_own() && metric.kind == Kind::Counter) {
        for labels in combinations(metric.labels) {
            metrics::counter!(metric.name, &labels).increment(0);
        }
    }
}

/// Of the values of labels; none if a label is not closed.
fn combinations(labels: &[Label]) -> Vec<Vec<(&'static str, &'static str)>> {
    labels.iter().fold(vec![Vec::new()], |found, label| {
        let Values::These(values) = label.values else { return Vec::new() };
        let longer = |start: &Vec<_>| {
            let start = start.clone();
            values.iter().map(move |value| start.iter().copied().chain([(label.name, *value)]).collect())
        };
        found.iter().flat_map(longer).collect()
    })
}

const fn new(
    kind: Kind,
    (name, unit, roles): (&'static str, Unit, Roles),
    labels: &'static [Label],
) -> Metric {
    Metric { name, kind, unit, roles, labels, measured: "", look: "", meaning: "" }
}

const fn counter(name: &'static str, unit: Unit, roles: Roles, labels: &'static [Label]) -> Metric {
    new(Kind::Counter, (name, unit, roles), labels)
}

const fn gauge(name: &'static str, unit: Unit, roles: Roles, labels: &'static [Label]) -> Metric {
    new(Kind::Gauge, (name, unit, roles), labels)
}

const fn histogram(name: &'static str, unit: Unit, roles: Roles, labels: &'static [Label]) -> Metric {
    new(Kind::Histogram, (name, unit, roles), labels)
}

impl Metric {
    /// Not one that the library `metrics-process` reports and describes.
    pub fn is_own(&self) -> bool {
        self.name.starts_with("natter_")
    }

    const fn measures(self, measured: &'static str) -> Self {
        Self { measured, ..self }
    }

    const fn look(self, look: &'static str) -> Self {
        Self { look, ..self }
    }

    const fn means(self, meaning: &'static str) -> Self {
        Self { meaning, ..self }
    }
}
