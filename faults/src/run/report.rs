//! A run in figures: JSON, and a row of a table.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde::Serialize;

use super::scenario::Scenario;
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
    pub recovery_limit_ms: Option<u64>,
    /// By what it could be seen while it lasted, and in the end that all is well.
    pub seen_by: Vec<String>,
    /// What was expected in vain; or why the run could not go on.
    pub unmet: Vec<String>,
    pub violations: Vec<Violation>,
}

impl Report {
    /// With when the last step was over, gaps found and filled by edges, and what was expected in vain.
    pub fn of(
        scenario: &Scenario,
        log: &[Line],
        verdict: &Verdict,
        (healed, gaps, unmet): (Micros, [u64; 2], Vec<String>),
    ) -> Self {
        let count = |is: fn(&Violation) -> bool| verdict.count(is);
        let lost = count(|v| matches!(v, Violation::Lost { .. } | Violation::NeverRead { .. }));
        let doubled = count(|v| matches!(v, Violation::Doubled { .. } | Violation::IdTwice { .. }));
        let disordered = count(|v| matches!(v, Violation::OutOfOrder { .. } | Violation::OtherEvent { .. }));
        let gap = |v: &Violation| {
            matches!(v, Violation::Gap { .. } | Violation::Skipped { .. } | Violation::NotDelivered { .. })
        };
        let seen = verdict.count(gap);
        let millis = |limit: Duration| u64::try_from(limit.as_millis()).ok();
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
            stall_limit_ms: scenario.longest_stall.and_then(millis),
            recovered_ms: recovered(log, healed).map(|micros| micros / 1000),
            recovery_limit_ms: scenario.recovers_within.and_then(millis),
            seen_by: scenario.signs().map(|(part, sign)| format!("{part} {sign}")).collect(),
            unmet,
            violations: verdict.violations.clone(),
        }
    }

    /// Of a run that could not go on.
    pub fn failed(scenario: &Scenario, why: String) -> Self {
        Self::of(scenario, &[], &Verdict::default(), (0, [0; 2], vec![why]))
    }

    /// Every guarantee, and what the scenario asks for beside.
    pub fn holds(&self) -> bool {
        let recovered = self.recovered_ms.unwrap_or(u64::MAX);
        self.violations.is_empty()
            && self.unmet.is_empty()
            && self.stall_limit_ms.is_none_or(|limit| self.longest_stall_ms <= limit)
            && self.recovery_limit_ms.is_none_or(|limit| recovered <= limit)
    }
}

/// Of any client: between two of its acks, or from its first attempt to its first ack. Who may not send waits for none.
fn longest_stall(log: &[Line]) -> Micros {
    let mut senders: BTreeMap<&str, &str> = BTreeMap::new();
    let mut last: BTreeMap<&str, Micros> = BTreeMap::new();
    let mut longest = 0;
    for line in log {
        let answered = match &line.record {
            Record::Send { device, client_id, .. } => {
                senders.insert(client_id, device);
                last.entry(device).or_insert(line.at);
                continue;
            }
            Record::Ack { client_id, .. } => client_id,
            Record::Refusal { client_id, code } if code == "forbidden" => client_id,
            _ => continue,
        };
        let before = senders.get(answered.as_str()).and_then(|device| last.get_mut(device));
        if let Some(before) = before {
            longest = longest.max(line.at.saturating_sub(*before));
            *before = line.at;
        }
    }
    longest
}

fn recovered(log: &[Line], healed: Micros) -> Option<Micros> {
    let mut first: BTreeMap<&str, Micros> = BTreeMap::new();
    let mut devices: BTreeMap<&str, Option<Micros>> = BTreeMap::new();
    for line in log {
        match &line.record {
            Record::Follow { device, .. } => {
                devices.entry(device).or_insert(None);
            }
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

/// All of them in a sentence, and a table: docs/guarantees.md.
pub fn table(reports: &[Report]) -> String {
    let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
    let mut text = format!(
        "In {} runs {} messages were acked: {} lost, {} doubled, {} disordered, {} gaps seen, {} other violations, {} signs \
         expected in vain.\n\n\
         | Fault | Acked | Not acked | Lost | Doubled | Disordered | Gaps seen | Gaps found and filled by edges | Other \
         violations | Longest stall | Recovered in | Seen by |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        reports.len(),
        sum(|report| report.acked),
        sum(|report| report.lost),
        sum(|report| report.doubled),
        sum(|report| report.disordered),
        sum(|report| report.gaps),
        sum(|report| report.other),
        sum(|report| report.unmet.len()),
    );
    for report in reports {
        let seconds = |millis: u64| format!("{}.{} s", millis / 1000, millis % 1000 / 100);
        let Report { name, sentence, messages, acked, lost, doubled, disordered, gaps, other, .. } = report;
        let recovered = report.recovered_ms.map_or("—".to_owned(), seconds);
        // A walk has no file.
        let name = if name.starts_with("walk-") {
            name.clone()
        } else {
            format!("[{name}](../faults/scenarios/{name}.txt)")
        };
        let signs =
            |signs: &[String]| signs.iter().map(|sign| format!("`{sign}`")).collect::<Vec<_>>().join(", ");
        let mut seen_by = signs(&report.seen_by);
        if !report.unmet.is_empty() {
            let _ = write!(seen_by, "; in vain: {}", signs(&report.unmet));
        }
        let _ = writeln!(
            text,
            "| {name}: {sentence} | {acked} | {} | {lost} | {doubled} | {disordered} | {gaps} | {} of {} | {other} | {} | \
             {recovered} | {seen_by} |",
            messages - acked,
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
             {} gaps announced, {other} other violations; longest stall {} ms",
            self.announced_gaps, self.longest_stall_ms
        )?;
        if let Some(limit) = self.stall_limit_ms {
            write!(f, " of at most {limit}")?;
        }
        if let Some(millis) = self.recovered_ms {
            write!(f, ", recovered in {millis} ms")?;
        }
        if let Some(limit) = self.recovery_limit_ms {
            write!(f, " of at most {limit}")?;
        }
        self.unmet.iter().try_for_each(|unmet| write!(f, "\n  in vain: {unmet}"))?;
        self.violations.iter().take(10).try_for_each(|violation| write!(f, "\n  {violation:?}"))
    }
}
