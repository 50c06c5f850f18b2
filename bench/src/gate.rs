//! The committed gate: ratios that must not get worse by more than the noise that the same run shows. And the
//! committed targets: ratios, and some figures by themselves, that are to be reached without such an allowance.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::{
    results::{Better, Measurement},
    table::figure,
};

/// One ratio or difference: as it was when it was committed, or as it is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Id of the measurement.
    pub measurement: String,
    pub of: String,
    /// `None`: the figure by itself, in the measurement's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub ratio: f64,
    /// `ratio` is how much more than `to` it may be, in the measurement's unit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub difference: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct GateResult {
    pub gate: Gate,
    /// `None`: not measured, or void.
    pub found: Option<f64>,
    /// How far apart this run's rounds are, as a share.
    pub noise: f64,
    pub passes: bool,
}

/// Whether a ratio may be worse by what the rounds of its run differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoiseAllowance {
    Allowed,
    Not,
}

/// A ratio that could not be measured does not pass.
pub fn judge(gates: &[Gate], measurements: &[Measurement], noise: NoiseAllowance) -> Vec<GateResult> {
    gates.iter().map(|gate| judge_one(gate, measurements, noise)).collect()
}

fn judge_one(gate: &Gate, measurements: &[Measurement], allowed: NoiseAllowance) -> GateResult {
    let measurement = measurements.iter().find(|measurement| measurement.id == gate.measurement);
    let found = measurement.and_then(|measurement| found(gate, measurement));
    let spread = measurement.and_then(|measurement| measurement.ratio_spread(&gate.of, gate.to.as_deref()?));
    let noise = if allowed == NoiseAllowance::Allowed { spread.unwrap_or(0.0) } else { 0.0 };
    // What noise is of a ratio, it is of what both sides of a difference are.
    let base = measurement.and_then(|measurement| measurement.median(gate.to.as_deref()?));
    let most =
        if gate.difference { gate.ratio + noise * base.unwrap_or(0.0) } else { gate.ratio * (1.0 + noise) };
    let passes = match (found, measurement.map(|measurement| measurement.better)) {
        (Some(found), Some(Better::Lower)) => found <= most,
        (Some(found), Some(Better::Higher)) => found * (1.0 + noise) >= gate.ratio,
        _ => false,
    };
    GateResult { gate: gate.clone(), found, noise, passes }
}

/// The gates that this run would commit: the same ones, with what it found.
pub fn renewed(gates: &[Gate], measurements: &[Measurement]) -> Vec<Gate> {
    let found = |gate: &Gate| found(gate, measurements.iter().find(|f| f.id == gate.measurement)?);
    gates.iter().map(|gate| Gate { ratio: found(gate).unwrap_or(gate.ratio), ..gate.clone() }).collect()
}

fn found(gate: &Gate, measurement: &Measurement) -> Option<f64> {
    match &gate.to {
        Some(to) if gate.difference => Some(measurement.median(&gate.of)? - measurement.median(to)?),
        Some(to) => measurement.ratio(&gate.of, to),
        None => measurement.median(&gate.of),
    }
}

/// A table in Markdown: what is wanted, and what was found.
pub fn markdown(judged: &[GateResult], measurements: &[Measurement]) -> String {
    let mut text = String::from("| what | setting | wanted | found | |\n|---|---|---|---|---|\n");
    for GateResult { gate, found, passes, .. } in judged {
        let Gate { measurement: id, of, to, ratio, .. } = gate;
        let measurement = measurements.iter().find(|measurement| measurement.id == *id);
        let (what, setting) =
            measurement.map_or((id.as_str(), ""), |f| (f.what.as_str(), f.setting.as_str()));
        let sign = match measurement.map(|measurement| measurement.better) {
            Some(Better::Higher) => "≥ ",
            Some(Better::Lower) => "≤ ",
            None => "",
        };
        let own = measurement.map(|measurement| measurement.unit.as_str()).filter(|unit| !unit.is_empty());
        let own = own.map_or(String::new(), |unit| format!(" {unit}"));
        let unit = match to {
            Some(to) if gate.difference => format!("{own} more than {to}"),
            Some(to) => format!(" × {to}"),
            None => own,
        };
        let found = found.map_or("not measured".to_owned(), figure);
        let word = if *passes { "reached" } else { "**not reached**" };
        let wanted = format!("{sign}{}{unit}", figure(*ratio));
        let _ = writeln!(text, "| {of}: {what} | {setting} | {wanted} | {found} | {word} |");
    }
    text
}

impl fmt::Display for GateResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Gate { measurement, of, to, ratio, difference } = &self.gate;
        let found = self.found.map_or("not measured".to_owned(), |found| format!("{found:.3}"));
        let word = if self.passes { "ok  " } else { "FAIL" };
        let noise = self.noise * 100.0;
        let sign = if *difference { '-' } else { '/' };
        let to = to.as_ref().map_or(String::new(), |to| format!(" {sign} {to}"));
        write!(f, "{word} {measurement}: {of}{to} = {found}, gate {ratio:.3}, noise of this run {noise:.0} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Metric, Results};

    fn gate(measurement: &str, ratio: f64) -> Gate {
        Gate {
            measurement: measurement.to_owned(),
            of: "natter".to_owned(),
            to: Some("bare".to_owned()),
            ratio,
            difference: false,
        }
    }

    /// CPU ratios of 3.0, 3.2 and 3.1 (noise 6 %), capacity ratios of 0.50 and 0.52.
    fn measurements() -> Vec<Measurement> {
        let mut results = Results::default();
        for natter in [30.0, 32.0, 31.0] {
            results.add(("ack", "x"), Metric::lower("cpu", "", ""), "natter", natter);
            results.add(("ack", "x"), Metric::lower("cpu", "", ""), "bare", 10.0);
        }
        for natter in [50.0, 52.0] {
            results.add(("ack", "x"), Metric::higher("rate", "", ""), "natter", natter);
            results.add(("ack", "x"), Metric::higher("rate", "", ""), "bare", 100.0);
        }
        results.measurements
    }

    fn passes(gate: Gate) -> bool {
        judge(&[gate], &measurements(), NoiseAllowance::Allowed)[0].passes
    }

    #[test]
    fn what_is_no_worse_passes() {
        assert!(passes(gate("ack/x/cpu", 3.1)) && passes(gate("ack/x/cpu", 9.0)));
        assert!(passes(gate("ack/x/rate", 0.51)) && passes(gate("ack/x/rate", 0.1)));
    }

    #[test]
    fn what_is_worse_by_less_than_the_noise_passes() {
        assert!(passes(gate("ack/x/cpu", 2.95)));
        assert!(passes(gate("ack/x/rate", 0.52)));
    }

    #[test]
    fn what_is_worse_by_more_fails() {
        assert!(!passes(gate("ack/x/cpu", 2.5)));
        assert!(!passes(gate("ack/x/rate", 0.6)));
    }

    #[test]
    fn what_was_not_measured_fails() {
        assert!(!passes(gate("ack/x/gone", 1.0)));
        let other = Gate { to: Some("seed-node".to_owned()), ..gate("ack/x/cpu", 100.0) };
        assert!(!passes(other));
    }

    #[test]
    fn a_difference_is_compared_in_the_unit_of_what_was_measured() {
        // 31 to 10, within 6 % of the 10.
        let more = |ratio| Gate { difference: true, ..gate("ack/x/cpu", ratio) };
        assert!(passes(more(21.0)) && passes(more(20.5)) && !passes(more(20.0)));
        let judged = judge(&[more(6.0)], &measurements(), NoiseAllowance::Not);
        assert_eq!((judged[0].found, judged[0].passes), (Some(21.0), false));
        assert!(markdown(&judged, &measurements()).contains("| ≤ 6.00 more than bare |"));
    }

    #[test]
    fn a_target_is_reached_or_not_whatever_the_noise() {
        let reached = |gate| judge(&[gate], &measurements(), NoiseAllowance::Not)[0].passes;
        assert!(reached(gate("ack/x/cpu", 3.1)) && !reached(gate("ack/x/cpu", 3.0)));
        let alone = |ratio| Gate { to: None, ..gate("ack/x/cpu", ratio) };
        assert!(reached(alone(31.0)) && !reached(alone(30.9)));
    }

    #[test]
    fn targets_are_printed_with_what_was_measured() {
        let wanted = [gate("ack/x/cpu", 1.15), gate("ack/x/gone", 2.0)];
        let table = markdown(&judge(&wanted, &measurements(), NoiseAllowance::Not), &measurements());
        assert!(table.contains("| ≤ 1.15 × bare | 3.10 | **not reached** |"), "{table}");
        assert!(
            table.contains("| natter: ack/x/gone |  | 2.00 × bare | not measured | **not reached** |"),
            "{table}"
        );
    }

    #[test]
    fn a_renewed_gate_has_what_was_found_and_keeps_what_was_not() {
        let gates = [gate("ack/x/cpu", 1.0), gate("ack/x/gone", 2.0)];
        let ratios: Vec<f64> = renewed(&gates, &measurements()).iter().map(|gate| gate.ratio).collect();
        assert_eq!(ratios, [3.1, 2.0]);
    }
}
