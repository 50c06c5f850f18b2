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
