//! What is shown after a look, in numbers; as JSON it is the answer to programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::{Buckets, FLOW, Figures, add_flow};

/// How a node is that did not answer.
pub const NO_ANSWER: &str = "no answer";

/// A number for each of [`FLOW`], by its title.
pub type Flow = BTreeMap<&'static str, f64>;

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Why no one could be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// By name.
    pub nodes: Vec<Row>,
    /// Of how many nodes that have it each part is up.
    pub parts: BTreeMap<String, UpOf>,
    /// All nodes that answered, together.
    pub all: Shown,
    pub behind: Behind,
    /// `None`: no worker has counted them yet.
    pub parked: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct UpOf {
    pub up: usize,
    pub of: usize,
}

/// The partition of which a job is behind the most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Behind {
    pub persist: Option<Partition>,
    /// `None`: no worker mirrors.
    pub mirror: Option<Partition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Partition {
    pub partition: u16,
    pub events: f64,
}

/// A node.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub name: String,
    pub role: String,
    pub version: String,
    pub status: String,
    /// Since when it has not been heard of, if it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_seconds: Option<u64>,
    pub parts: BTreeMap<String, bool>,
    #[serde(flatten)]
    pub figures: Shown,
    #[serde(skip)]
    now: Figures,
    #[serde(skip)]
    recent: Option<Recent>,
}

/// What a node did between two looks.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    /// Per second.
    flow: [f64; FLOW.len()],
    cpu: f64,
    ack: Buckets,
    delivery: Buckets,
}

impl Recent {
    pub fn between(then: &Figures, now: &Figures, seconds: f64) -> Self {
        let mut flow = now.flow;
        flow.iter_mut().zip(&then.flow).for_each(|(now, then)| *now = (*now - then).max(0.0) / seconds);
        let cpu = (now.cpu - then.cpu).max(0.0) / seconds;
        Self { flow, cpu, ack: now.ack.since(&then.ack), delivery: now.delivery.since(&then.delivery) }
    }

    fn add(&mut self, other: &Self) {
        add_flow(&mut self.flow, &other.flow);
        self.cpu += other.cpu;
        self.ack.add(&other.ack);
        self.delivery.add(&other.delivery);
    }
}

/// Figures of a node, or of all: totals since the start of the nodes, rates and percentiles of the last looks.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// `None`: of workers, which have none.
    pub sockets: Option<f64>,
    pub totals: Flow,
    /// `None` after one look.
    pub per_second: Option<Flow>,
    /// From a publish to its ack. `None`: nothing was published.
    pub ack_seconds: Option<Percentiles>,
    /// From when the log has an event to a node's last socket.
    pub delivery_seconds: Option<Percentiles>,
    pub gaps_found: f64,
    pub gaps_filled: f64,
    pub slow_readers: f64,
    /// Sockets, by code; those of which there are any.
    pub closed: BTreeMap<String, f64>,
    pub errors: BTreeMap<&'static str, f64>,
    /// Cores.
    pub cpu: Option<f64>,
    pub memory_bytes: Option<f64>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
}

impl Percentiles {
    fn of(buckets: &Buckets) -> Option<Self> {
        Some(Self { p50: buckets.quantile(0.5)?, p99: buckets.quantile(0.99)? })
    }
}

impl Shown {
    fn new(now: &Figures, recent: Option<&Recent>) -> Self {
        let titled = |flow: &[f64; FLOW.len()]| FLOW.iter().map(|(title, _)| *title).zip(*flow).collect();
        let any = |(_, count): &(_, &f64)| **count > 0.0;
        Self {
            sockets: now.sockets,
            totals: titled(&now.flow),
            per_second: recent.map(|recent| titled(&recent.flow)),
            ack_seconds: recent.and_then(|recent| Percentiles::of(&recent.ack)),
            delivery_seconds: recent.and_then(|recent| Percentiles::of(&recent.delivery)),
            gaps_found: now.gaps_found,
            gaps_filled: now.gaps_filled,
            slow_readers: now.slow_readers,
            closed: now.closed.iter().filter(|entry| *entry.1 > 0.0).map(|(c, n)| (c.clone(), *n)).collect(),
            errors: now.errors.iter().filter(any).map(|(title, n)| (*title, *n)).collect(),
            cpu: recent.map(|recent| recent.cpu),
            memory_bytes: now.memory,
        }
    }

    pub fn rate(&self, title: &str) -> Option<f64> {
        self.per_second.as_ref()?.get(title).copied()
    }
}

impl Row {
    pub fn new(
        name: &str,
        status: String,
        silent_seconds: Option<u64>,
        parts: BTreeMap<String, bool>,
        now: Figures,
        recent: Option<Recent>,
    ) -> Self {
        let figures = Shown::new(&now, recent.as_ref());
        let (role, version, name) = (now.role.clone(), now.version.clone(), name.to_owned());
        Self { name, role, version, status, silent_seconds, parts, figures, now, recent }
    }

    pub fn answers(&self) -> bool {
        self.status != NO_ANSWER
    }
}

impl View {
    pub fn new(nodes: Vec<Row>, trouble: Option<String>) -> Self {
        let (mut now, mut recent) = (Figures::default(), None::<Recent>);
        let mut parts: BTreeMap<String, UpOf> = BTreeMap::new();
        for row in nodes.iter().filter(|row| row.answers()) {
            now.add(&row.now);
            if let Some(one) = &row.recent {
                recent.get_or_insert_default().add(one);
            }
            for (part, up) in &row.parts {
                let counted = parts.entry(part.clone()).or_default();
                (counted.up, counted.of) = (counted.up + usize::from(*up), counted.of + 1);
            }
        }
        let behind = Behind { persist: most(&now.persist_behind), mirror: most(&now.mirror_behind) };
        let all = Shown::new(&now, recent.as_ref());
        Self { trouble, nodes, parts, all, behind, parked: now.parked }
    }

    /// Nodes that answered.
    pub fn answered(&self) -> usize {
        self.nodes.iter().filter(|row| row.answers()).count()
    }
}

fn most(behind: &BTreeMap<u16, f64>) -> Option<Partition> {
    let most = behind.iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
    most.map(|(partition, events)| Partition { partition: *partition, events: *events })
}
