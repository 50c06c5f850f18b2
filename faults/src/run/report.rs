//! A run in figures: JSON, and a row of a table.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

use super::steps::Scenario;
use crate::{
    log::{Line, Micros, Record},
    oracle::{Verdict, Violation},
};

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub name: String,
    pub sentence: String,
    /// The scenario's file: enough to run it again.
    pub steps: String,
    pub messages: usize,
    pub acked: usize,
    pub lost: usize,
    pub doubled: usize,
    pub disordered: usize,
    /// Gaps that a client saw.
    pub gaps: usize,
    /// By edges, before a client could see them; those that still run.
    pub gaps_found: u64,
    pub gaps_filled: u64,
    pub announced_gaps: usize,
    /// Of other kinds.
    pub other: usize,
    /// The longest time in which a client that sends had no ack.
    pub longest_stall_ms: u64,
    /// What the scenario allows.
    pub stall_limit_ms: Option<u64>,
    /// From the last step to the moment at which every device was shown a message that was sent after it; `None` when
    /// nothing was sent afterwards or a device was shown none.
    pub recovered_ms: Option<u64>,
    pub violations: Vec<Violation>,
}

impl Report {
    pub fn of(scenario: &Scenario, log: &[Line], verdict: &Verdict, healed: Micros, gaps: [u64; 2]) -> Self {
        let count = |is: fn(&Violation) -> bool| verdict.count(is);
        let lost = count(|v| matches!(v, Violation::Lost { .. } | Violation::NeverRead { .. }));
        let doubled = count(|v| matches!(v, Violation::Doubled { .. } | Violation::IdTwice { .. }));
        let disordered = count(|v| matches!(v, Violation::OutOfOrder { .. } | Violation::OtherEvent { .. }));
        let gap = |v: &Violation| {
            matches!(v, Violation::Gap { .. } | Violation::Skipped { .. } | Violation::NotDelivered { .. })
        };
        let seen = verdict.count(gap);
        Self {
            name: scenario.name.clone(),
            sentence: scenario.sentence.clone(),
            steps: scenario.to_string(),
            messages: verdict.messages,
            acked: verdict.acked,
            lost,
            doubled,
            disordered,
            gaps: seen,
            gaps_found: gaps[0],
            gaps_filled: gaps[1],
            announced_gaps: verdict.announced_gaps,
            other: verdict.violations.len() - lost - doubled - disordered - seen,
            longest_stall_ms: longest_stall(log) / 1000,
            stall_limit_ms: scenario.longest_stall.and_then(|limit| u64::try_from(limit.as_millis()).ok()),
            recovered_ms: recovered(log, healed).map(|micros| micros / 1000),
            violations: verdict.violations.clone(),
        }
    }

    /// Every guarantee, and what the scenario asks for beside.
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.stall_limit_ms.is_none_or(|limit| self.longest_stall_ms <= limit)
    }
}

/// Of any client: between two of its acks, or from its first attempt to its first ack.
fn longest_stall(log: &[Line]) -> Micros {
    let mut senders: BTreeMap<&str, &str> = BTreeMap::new();
    let mut last: BTreeMap<&str, Micros> = BTreeMap::new();
    let mut longest = 0;
    for line in log {
        match &line.record {
            Record::Send { device, client_id, .. } => {
                senders.insert(client_id, device);
                last.entry(device).or_insert(line.at);
            }
            Record::Ack { client_id, .. } => {
                let before = senders.get(client_id.as_str()).and_then(|device| last.get_mut(device));
                if let Some(before) = before {
                    longest = longest.max(line.at.saturating_sub(*before));
                    *before = line.at;
                }
            }
            _ => {}
        }
    }
    longest
}

fn recovered(log: &[Line], healed: Micros) -> Option<Micros> {
    let mut first: BTreeMap<&str, Micros> = BTreeMap::new();
    let mut devices: BTreeMap<&str, Option<Micros>> = BTreeMap::new();
    for line in log {
        match &line.record {
            Record::Follow { device, .. } => drop(devices.insert(device, None)),
            Record::Send { client_id, .. } => drop(first.entry(client_id).or_insert(line.at)),
            Record::Live { device, row, .. } => {
                let sent_after = first.get(row.client_id.as_str()).is_some_and(|at| *at >= healed);
                if sent_after && let Some(seen) = devices.get_mut(device.as_str()) {
                    seen.get_or_insert(line.at);
                }
            }
            _ => {}
        }
    }
    let last = devices.into_values().collect::<Option<Vec<_>>>()?.into_iter().max()?;
    Some(last.saturating_sub(healed))
}

/// Rows of docs/guarantees.md.
pub fn table(reports: &[Report]) -> String {
    let mut text = "| Fault | Messages | Acked | Lost | Doubled | Disordered | Gaps seen | Gaps found and filled by edges | Other \
                    violations | Longest stall | Recovered in |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for report in reports {
        let seconds = |millis: u64| format!("{}.{} s", millis / 1000, millis % 1000 / 100);
        let Report { name, sentence, messages, acked, lost, doubled, disordered, gaps, other, .. } = report;
        let recovered = report.recovered_ms.map_or("—".to_owned(), seconds);
        let _ = writeln!(
            text,
            "| [{name}](../faults/scenarios/{name}.txt): {sentence} | {messages} | {acked} | {lost} | {doubled} | \
             {disordered} | {gaps} | {} of {} | {other} | {} | {recovered} |",
            report.gaps_filled,
            report.gaps_found,
            seconds(report.longest_stall_ms),
        );
    }
    text
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { messages, acked, lost, doubled, disordered, gaps, other, .. } = self;
        write!(
            f,
            "  {messages} messages, {acked} acked, {lost} lost, {doubled} doubled, {disordered} disordered, {gaps} gaps seen, \
             {other} other violations; longest stall {} ms",
            self.longest_stall_ms
        )?;
        if let Some(limit) = self.stall_limit_ms {
            write!(f, " of at most {limit}")?;
        }
        if let Some(millis) = self.recovered_ms {
            write!(f, ", recovered in {millis} ms")?;
        }
        self.violations.iter().take(10).try_for_each(|violation| write!(f, "\n  {violation:?}"))
    }
}
