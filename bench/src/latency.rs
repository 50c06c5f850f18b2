//! Times of a run in an HDR histogram: microseconds, to three digits, up to five minutes.

use hdrhistogram::Histogram;
use serde::Serialize;

const LONGEST_US: u64 = 300_000_000;

#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are constants"))
    }
}

impl Times {
    pub fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros.max(1));
    }

    #[expect(clippy::cast_precision_loss, reason = "five minutes of microseconds are far fewer than 2^52")]
    pub fn latency(&self) -> Latency {
        let at = |quantile: f64| match self.0.len() {
            0 => 0.0,
            _ => self.0.value_at_quantile(quantile) as f64 / 1_000.0,
        };
        let count = self.0.len();
        Latency {
            count,
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_in_milliseconds() {
        let mut times = Times::default();
        (1..=1_000).for_each(|n| times.record(n * 1_000));
        let Latency { count, p50, p99, max, .. } = times.latency();
        assert_eq!(count, 1_000);
        for (found, wanted) in [(p50, 500.0), (p99, 990.0), (max, 1_000.0_f64)] {
            assert!((found - wanted).abs() / wanted < 0.002, "{found} for {wanted}");
        }
    }

    #[test]
    fn nothing_measured_is_nothing() {
        assert_eq!(Times::default().latency(), Latency::default());
    }

    #[test]
    fn values_out_of_range_count_as_the_bound() {
        let mut times = Times::default();
        times.record(0);
        times.record(u64::MAX);
        assert!(times.latency().max >= 299_000.0);
    }
}
