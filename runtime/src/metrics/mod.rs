//! Every metric of the program, once: the help at `GET /metrics`, docs/metrics.md and the dashboards come from this
//! table, and a test compares it with the code in both directions.

mod background; // services, jobs, the mirror, the store
mod dependencies; // NATS, Redis, the process
mod flow; // clients, sends, deliveries
mod labels; // labels and their closed sets of values

pub use labels::{Label, Values};

/// A metric as it is documented.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub roles: Roles,
    pub labels: &'static [Label],
    /// When to look at it; empty: it is for information.
    pub look: &'static str,
    /// What it means and what to do.
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
    Stage { title: "Sending", metrics: flow::SEND },
    Stage { title: "Delivery", metrics: flow::DELIVER },
    Stage { title: "Services", metrics: background::SERVICES },
    Stage { title: "Jobs", metrics: background::JOBS },
    Stage { title: "Mirror", metrics: background::MIRROR },
    Stage { title: "Store", metrics: background::STORE },
    Stage { title: "NATS", metrics: dependencies::NATS },
    Stage { title: "Redis", metrics: dependencies::REDIS },
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
    for metric in all() {
        let (name, help) = (metric.name, metric.meaning);
        let unit = match metric.unit {
            Unit::Count => metrics::Unit::Count,
            Unit::Seconds => metrics::Unit::Seconds,
        };
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(name, unit, help),
            Kind::Gauge => metrics::describe_gauge!(name, unit, help),
            Kind::Histogram => metrics::describe_histogram!(name, unit, help),
        }
    }
}

const fn new(
    kind: Kind,
    (name, unit, roles): (&'static str, Unit, Roles),
    labels: &'static [Label],
) -> Metric {
    Metric { name, kind, unit, roles, labels, look: "", meaning: "" }
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
    const fn look(self, look: &'static str) -> Self {
        Self { look, ..self }
    }

    const fn means(self, meaning: &'static str) -> Self {
        Self { meaning, ..self }
    }
}
