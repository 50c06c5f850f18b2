//! The result of a scenario: measurements, and the oracle's report on every target. A target with a violation has
//! no figures.

use std::fmt;

use serde::Serialize;

use crate::{bench::Step, results::Results, table, target_run::OracleReport};

#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    pub scenario: String,
    pub results: Results,
    pub reports: Vec<OracleReport>,
    pub steps: Vec<Step>,
}

impl Outcome {
    pub fn of(scenario: &str) -> Self {
        Self { scenario: scenario.to_owned(), ..Self::default() }
    }

    pub fn judge(&mut self, report: OracleReport) {
        if report.violation_count > 0 {
            self.results.void(&report.target);
        }
        self.reports.push(report);
    }

    /// The rounds of another run of the same scenario. A target with a violation in either has no figures.
    pub fn add(&mut self, other: Self) {
        self.results.extend(other.results);
        for report in self.reports.iter().chain(&other.reports).filter(|report| report.violation_count > 0) {
            self.results.void(&report.target);
        }
        self.reports.extend(other.reports);
        self.steps.extend(other.steps);
    }

    /// Whether Natter is without violations; those of a peer void the peer alone.
    pub fn holds(&self) -> bool {
        self.reports.iter().all(|report| report.violation_count == 0 || !report.target.starts_with("natter"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n## {}\n\n{}", self.scenario, table::markdown(&self.results.measurements))?;
        for report in &self.reports {
            let OracleReport {
                target,
                messages,
                compared_with_history,
                reordered,
                violation_count,
                violations,
            } = report;
            let history = match compared_with_history {
                Some(rows) => format!("{rows} compared with history"),
                None => "no history".to_owned(),
            };
            let order = if *reordered > 0 { format!(", {reordered} out of order") } else { String::new() };
            match violation_count {
                0 => writeln!(f, "{target}: {messages} messages, no loss, no double; {history}{order}")?,
                broken => {
                    writeln!(f, "{target}: VOID, {broken} violations; the first of them:")?;
                    violations.iter().try_for_each(|violation| writeln!(f, "  {violation:?}"))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Metric;

    /// One round of two targets, one of which has so many violations.
    fn outcome(violations: usize) -> Outcome {
        let mut outcome = Outcome::of("ack");
        for (target, violation_count) in [("natter", violations), ("bare", 0)] {
            outcome.results.add(("ack", "x"), Metric::lower("cpu", "", ""), target, 1.0);
            let (target, violations) = (target.to_owned(), Vec::new());
            let (messages, compared_with_history, reordered) = (1, None, 0);
            outcome.judge(OracleReport {
                target,
                messages,
                compared_with_history,
                reordered,
                violation_count,
                violations,
            });
        }
        outcome
    }

    #[test]
    fn a_target_with_a_violation_in_either_run_has_no_figures() {
        for (first, second) in [(0, 0), (1, 0), (0, 1)] {
            let mut both = outcome(first);
            both.add(outcome(second));
            let whole = first + second == 0;
            assert_eq!(both.results.measurements[0].median("natter").is_some(), whole);
            assert_eq!(both.results.measurements[0].values["bare"].len(), 2);
            assert_eq!((both.reports.len(), both.holds()), (4, whole));
        }
    }
}
