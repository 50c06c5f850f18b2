//! What a run came to: a table for people, JSON for machines. A run with a fault has no figures.

use std::{collections::BTreeMap, fmt, io::Write as _};

use serde::Serialize;

use crate::{
    check::Fault,
    floors::Floors,
    step::{Latency, Stats},
};

const FAULTS_SHOWN: usize = 20;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub scenario: &'static str,
    pub sockets: u32,
    pub bytes: u32,
    pub steps: Vec<Stats>,
    /// Highest rate that was kept up with, messages a second; `None` when it was not looked for.
    pub capacity: Option<f64>,
    /// Rooms whose history was compared, and the messages in them.
    pub history_rooms: usize,
    pub history_messages: usize,
    /// `None` when not asked for, and of a void run.
    pub floors: Option<Floors>,
    pub fault_count: usize,
    /// The first of them.
    pub faults: Vec<Fault>,
}

impl Report {
    pub fn with_faults(mut self, mut faults: Vec<Fault>) -> Self {
        self.fault_count = faults.len();
        faults.truncate(FAULTS_SHOWN);
        self.faults = faults;
        self
    }

    /// Whether every promise was kept, and there was something to keep.
    pub fn holds(&self) -> bool {
        self.fault_count == 0 && self.steps.iter().any(|step| step.acked > 0)
    }

    /// The step that stands for the run: of a search, the one whose rate it found. `None` of a void run.
    #[expect(clippy::float_cmp, reason = "the capacity is a step's planned rate, copied")]
    pub fn measured(&self) -> Option<&Stats> {
        let found = |step: &&Stats| self.capacity.is_none_or(|rate| step.planned_per_second == rate);
        self.steps.iter().find(found).filter(|_| self.holds())
    }

    pub fn print(&self) {
        // Nothing to be done about a closed terminal.
        let _ = write!(std::io::stdout().lock(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}: {} sockets, {} bytes a message", self.scenario, self.sockets, self.bytes)?;
        for step in &self.steps {
            show(f, step)?;
        }
        if let Some(capacity) = self.capacity {
            writeln!(f, "\ncapacity: {capacity:.0} messages/s")?;
        }
        let (rooms, messages) = (self.history_rooms, self.history_messages);
        writeln!(f, "\nhistory compared: {messages} messages in {rooms} rooms")?;
        if self.holds() {
            writeln!(
                f,
                "every acked message was delivered once, in order, and is in history: the run counts"
            )?;
            return self.floors.iter().try_for_each(|floors| write!(f, "{floors}"));
        }
        writeln!(f, "VOID: {} broken promises; the first of them:", self.fault_count)?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "  {fault:?}"))
    }
}

fn show(f: &mut fmt::Formatter<'_>, step: &Stats) -> fmt::Result {
    let Stats { planned_per_second: planned, acked_per_second: rate, sent, acked, delivered, .. } = step;
    writeln!(f, "\nplanned {planned:.0}/s: {rate:.0}/s acked in {:.1} s", step.seconds)?;
    writeln!(
        f,
        "  {sent} sent, {acked} acked, {delivered} deliveries, refused: {}",
        refusals(&step.refusals)
    )?;
    writeln!(
        f,
        "  {:<22} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "ms from due time", "p50", "p90", "p99", "p99.9", "max"
    )?;
    row(f, "to the ack", &step.ack_ms)?;
    row(f, "to the other side", &step.delivery_ms)?;
    row(f, "(until written)", &step.bench_lateness_ms)?;
    let per_message = step.cpu_us_per_message().unwrap_or(0.0);
    writeln!(
        f,
        "  server: {:.1} s of CPU ({per_message:.0} us a message), {:.0} MiB; bench: {:.1} s of CPU",
        step.server.cpu_seconds, step.server.rss_mib, step.bench.cpu_seconds
    )
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, l: &Latency) -> fmt::Result {
    let Latency { p50, p90, p99, p999, max } = l;
    writeln!(f, "  {name:<22} {p50:>9.1} {p90:>9.1} {p99:>9.1} {p999:>9.1} {max:>9.1}")
}

fn refusals(by_code: &BTreeMap<String, u64>) -> String {
    if by_code.is_empty() {
        return "none".to_owned();
    }
    by_code.iter().map(|(code, times)| format!("{times} {code}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(planned_per_second: f64) -> Stats {
        Stats { planned_per_second, acked: 1, ..Stats::default() }
    }

    #[test]
    fn a_search_stands_for_the_rate_it_found() {
        let steps = vec![step(100.0), step(140.0), step(120.0)];
        let report = Report { steps, capacity: Some(140.0), ..Report::default() };
        assert_eq!(report.measured().map(|step| step.planned_per_second), Some(140.0));
        assert!(Report { capacity: Some(0.0), ..report }.measured().is_none());
    }

    #[test]
    fn a_void_run_has_nothing_to_compare_with_a_floor() {
        let report = Report { steps: vec![step(100.0)], ..Report::default() };
        assert!(report.measured().is_some());
        let fault = Fault::Closed { socket: 0, why: "gone".to_owned() };
        assert!(report.with_faults(vec![fault]).measured().is_none());
    }
}
