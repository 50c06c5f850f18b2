//! What a scenario came to: findings, and the oracle's verdict on every target. A target that broke a promise
//! has no figures.

use std::fmt;

use serde::Serialize;

use crate::{bench::Step, sheet::Sheet, side::Verdict, table};

#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    pub scenario: String,
    pub sheet: Sheet,
    pub verdicts: Vec<Verdict>,
    pub steps: Vec<Step>,
}

impl Outcome {
    pub fn of(scenario: &str) -> Self {
        Self { scenario: scenario.to_owned(), ..Self::default() }
    }

    pub fn judge(&mut self, verdict: Verdict) {
        if verdict.fault_count > 0 {
            self.sheet.void(&verdict.target);
        }
        self.verdicts.push(verdict);
    }

    /// The rounds of another run of the same scenario. Who broke a promise in either has no figures.
    pub fn add(&mut self, other: Self) {
        self.sheet.extend(other.sheet);
        for verdict in self.verdicts.iter().chain(&other.verdicts).filter(|verdict| verdict.fault_count > 0) {
            self.sheet.void(&verdict.target);
        }
        self.verdicts.extend(other.verdicts);
        self.steps.extend(other.steps);
    }

    /// Whether Natter kept every promise; what a peer broke voids the peer alone.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.fault_count == 0 || !verdict.target.starts_with("natter"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n## {}\n\n{}", self.scenario, table::markdown(&self.sheet.findings))?;
        for verdict in &self.verdicts {
            let Verdict { target, messages, compared_with_history, reordered, fault_count, faults } = verdict;
            let history = match compared_with_history {
                Some(rows) => format!("{rows} compared with history"),
                None => "nothing is kept".to_owned(),
            };
            let order =
                if *reordered > 0 { format!(", {reordered} in another order") } else { String::new() };
            match fault_count {
                0 => writeln!(f, "{target}: {messages} messages, no loss, no double; {history}{order}")?,
                broken => {
                    writeln!(f, "{target}: VOID, {broken} broken promises; the first of them:")?;
                    faults.iter().try_for_each(|fault| writeln!(f, "  {fault:?}"))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::Metric;

    /// One round of two targets, one of which broke so many promises.
    fn outcome(faults: usize) -> Outcome {
        let mut outcome = Outcome::of("ack");
        for (target, fault_count) in [("natter", faults), ("bare", 0)] {
            outcome.sheet.add(("ack", "x"), Metric::lower("cpu", "", ""), target, 1.0);
            let (target, faults) = (target.to_owned(), Vec::new());
            let (messages, compared_with_history, reordered) = (1, None, 0);
            outcome.judge(Verdict {
                target,
                messages,
                compared_with_history,
                reordered,
                fault_count,
                faults,
            });
        }
        outcome
    }

    #[test]
    fn who_broke_a_promise_in_either_run_has_no_figures() {
        for (first, second) in [(0, 0), (1, 0), (0, 1)] {
            let mut both = outcome(first);
            both.add(outcome(second));
            let whole = first + second == 0;
            assert_eq!(both.sheet.findings[0].median("natter").is_some(), whole);
            assert_eq!(both.sheet.findings[0].values["bare"].len(), 2);
            assert_eq!((both.verdicts.len(), both.holds()), (4, whole));
        }
    }
}
