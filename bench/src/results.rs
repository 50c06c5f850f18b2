//! Figures of all rounds and targets, and what is made of them: medians, spreads, ratios.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Better {
    Higher,
    Lower,
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub id: &'static str,
    pub what: &'static str,
    pub unit: &'static str,
    pub better: Better,
}

impl Metric {
    pub const fn lower(id: &'static str, what: &'static str, unit: &'static str) -> Self {
        Self { id, what, unit, better: Better::Lower }
    }

    pub const fn higher(id: &'static str, what: &'static str, unit: &'static str) -> Self {
        Self { id, what, unit, better: Better::Higher }
    }
}

/// One metric under one setting: a value a round for every target.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// `scenario/setting/metric`: what a gate names.
    pub id: String,
    pub setting: String,
    pub what: String,
    pub unit: String,
    pub better: Better,
    pub values: BTreeMap<String, Vec<f64>>,
}

/// The measurements of a scenario, in the order in which they were first added.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Results {
    pub measurements: Vec<Measurement>,
}

impl Results {
    /// Adds a round's value.
    pub fn add(&mut self, (scenario, setting): (&str, &str), metric: Metric, target: &str, value: f64) {
        let id = format!("{scenario}/{}/{}", setting.replace(' ', "-").replace(',', ""), metric.id);
        let at = self.measurements.iter().position(|measurement| measurement.id == id).unwrap_or_else(|| {
            self.measurements.push(Measurement {
                id,
                setting: setting.to_owned(),
                what: metric.what.to_owned(),
                unit: metric.unit.to_owned(),
                better: metric.better,
                values: BTreeMap::new(),
            });
            self.measurements.len() - 1
        });
        self.measurements[at].values.entry(target.to_owned()).or_default().push(value);
    }

    /// Adds the rounds of another.
    pub fn extend(&mut self, other: Self) {
        for measurement in other.measurements {
            match self.measurements.iter_mut().find(|own| own.id == measurement.id) {
                Some(own) => measurement.values.into_iter().for_each(|(target, values)| {
                    own.values.entry(target).or_default().extend(values);
                }),
                None => self.measurements.push(measurement),
            }
        }
    }

    /// Removes the figures of a target with a violation.
    pub fn void(&mut self, target: &str) {
        self.measurements.iter_mut().for_each(|measurement| drop(measurement.values.remove(target)));
        self.measurements.retain(|measurement| !measurement.values.is_empty());
    }
}

impl Measurement {
    pub fn median(&self, target: &str) -> Option<f64> {
        self.values.get(target).and_then(|values| median(values))
    }

    /// Of the medians; `None` when one is not there or is nothing.
    pub fn ratio(&self, of: &str, to: &str) -> Option<f64> {
        let (of, to) = (self.median(of)?, self.median(to)?);
        (to > 0.0).then(|| of / to)
    }

    /// How far the ratio of one round is from another's, as a share of the median; 0 of a single round.
    pub fn ratio_spread(&self, of: &str, to: &str) -> Option<f64> {
        let pairs = self.values.get(of)?.iter().zip(self.values.get(to)?);
        let ratios: Vec<f64> = pairs.filter(|(_, to)| **to > 0.0).map(|(of, to)| of / to).collect();
        spread(&ratios)
    }
}

pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => sorted.get(middle).copied(),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// Largest less smallest, as a share of the median.
pub fn spread(values: &[f64]) -> Option<f64> {
    let middle = median(values).filter(|middle| *middle > 0.0)?;
    let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    Some((high - low) / middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: Metric = Metric::lower("cpu", "server CPU a message", "µs");

    #[test]
    fn medians_and_spreads() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(spread(&[10.0, 9.0, 12.0]), Some(0.3));
        assert_eq!(spread(&[7.0]), Some(0.0));
    }

    #[test]
    fn rounds_gather_under_one_measurement_and_ratios_are_of_the_medians() {
        let mut results = Results::default();
        for (natter, bare) in [(60.0, 20.0), (66.0, 20.0), (63.0, 21.0)] {
            results.add(("ack", "128 B, pinned"), CPU, "natter", natter);
            results.add(("ack", "128 B, pinned"), CPU, "bare", bare);
        }
        let [measurement] = &results.measurements[..] else { panic!("{results:?}") };
        assert_eq!(measurement.id, "ack/128-B-pinned/cpu");
        assert_eq!(measurement.ratio("natter", "bare"), Some(63.0 / 20.0));
        let spread = measurement.ratio_spread("natter", "bare").unwrap();
        assert!((spread - 0.1).abs() < 1e-9, "{spread}");
        assert_eq!(measurement.ratio("natter", "seed-node"), None);
    }

    #[test]
    fn rounds_of_two_runs_are_judged_together() {
        let run = |natter| {
            let mut results = Results::default();
            results.add(("ack", "x"), CPU, "natter", natter);
            results.add(("ack", "x"), CPU, "bare", 10.0);
            results
        };
        let mut results = run(17.0);
        results.extend(run(15.0));
        let [measurement] = &results.measurements[..] else { panic!("{results:?}") };
        assert_eq!(measurement.ratio("natter", "bare"), Some(1.6));
        assert_eq!(measurement.ratio_spread("natter", "bare"), Some((1.7 - 1.5) / 1.6));
        results.extend(Results::default());
        assert_eq!(results.measurements.len(), 1);
    }

    #[test]
    fn a_void_target_has_no_figures() {
        let mut results = Results::default();
        results.add(("ack", "x"), CPU, "natter", 1.0);
        results.add(("ack", "x"), CPU, "bare", 1.0);
        results.void("natter");
        assert_eq!(results.measurements[0].median("natter"), None);
        results.void("bare");
        assert!(results.measurements.is_empty());
    }
}
