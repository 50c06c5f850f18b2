//! The highest rate a server keeps up with: climb until it does not, then halve the distance.

use crate::load::{Stats, real};

const CLIMB: f64 = 1.5;
/// How often the distance between the last good and the first bad rate is halved: to an eighth of the good one
/// after two, which is less than what two runs differ by.
const NARROWINGS: u32 = 2;
/// How far down a search goes from where it begins: what fails there fails for another reason than the rate.
const LOWEST: f64 = 1.0 / 32.0;
/// Achieved share of the planned rate that still counts as keeping up.
const KEPT_UP: f64 = 0.97;
/// And the share that is worth another try.
const NEARLY: f64 = 0.85;

#[derive(Debug, Clone, Copy)]
pub struct Search {
    start: f64,
    good: Option<f64>,
    bad: Option<f64>,
    narrowed: u32,
}

impl Search {
    pub fn from(start: f64) -> Self {
        Self { start, good: None, bad: None, narrowed: 0 }
    }

    /// The rate to try now; `None`: found.
    pub fn next(&self) -> Option<f64> {
        match (self.good, self.bad) {
            (None, None) => Some(self.start),
            (Some(good), None) => Some(good * CLIMB),
            (_, Some(_)) if self.narrowed >= NARROWINGS => None,
            // Begun too high: down until something passes.
            (None, Some(bad)) => Some(bad / 2.0),
            (Some(good), Some(bad)) => Some(f64::midpoint(good, bad)),
        }
    }

    pub fn record(&mut self, rate: f64, passed: bool) {
        if self.bad.is_some() && self.good.is_some() {
            self.narrowed += 1;
        }
        if passed {
            self.good = Some(rate);
        } else {
            self.bad = Some(rate);
        }
        if self.good.is_none() && rate <= self.start * LOWEST {
            self.narrowed = NARROWINGS;
        }
    }

    /// `None`: not even the lowest.
    #[cfg(test)]
    pub fn found(&self) -> Option<f64> {
        self.good
    }
}

/// Which latency must stay below so many milliseconds.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    Ack(f64),
    Delivery(f64),
    Last(f64),
}

impl std::str::FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bound = text.split_once(':').and_then(|(what, ms)| Some((what, ms.parse().ok()?)));
        match bound {
            Some(("ack", ms)) => Ok(Self::Ack(ms)),
            Some(("delivery", ms)) => Ok(Self::Delivery(ms)),
            Some(("last", ms)) => Ok(Self::Last(ms)),
            _ => Err("ack:MS, delivery:MS or last:MS".to_owned()),
        }
    }
}

pub fn keeps_up(stats: &Stats, bound: Bound) -> bool {
    let within = match bound {
        Bound::Ack(ms) => stats.ack_ms.p99 <= ms,
        Bound::Delivery(ms) => stats.delivery_ms.p99 <= ms,
        Bound::Last(ms) => stats.last_ms.p99 <= ms,
    };
    within
        && stats.rejections.is_empty()
        && real(stats.acked) >= KEPT_UP * real(stats.planned)
        && stats.acked_per_second >= KEPT_UP * stats.planned_per_second
}

/// Whether it failed by little, so that another try may pass.
pub fn nearly(stats: &Stats) -> bool {
    stats.rejections.is_empty() && stats.acked_per_second >= NEARLY * stats.planned_per_second
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latency;

    /// The search against a server that keeps up to here.
    fn search(start: f64, capacity: f64) -> (f64, u32) {
        let (mut search, mut steps) = (Search::from(start), 0);
        while let Some(rate) = search.next() {
            search.record(rate, rate <= capacity);
            steps += 1;
        }
        (search.found().unwrap_or(0.0), steps)
    }

    #[test]
    fn it_ends_close_below_what_the_server_can_do() {
        for start in [500.0, 3_000.0, 9_000.0, 40_000.0] {
            let (found, steps) = search(start, 10_000.0);
            assert!((8_750.0..=10_000.0).contains(&found), "{found} from {start}");
            assert!(steps < 14, "{steps} steps from {start}");
        }
    }

    #[test]
    fn a_server_that_can_do_nothing_is_given_up() {
        assert!(search(1_000.0, 0.0).0 < 0.1);
    }

    #[test]
    fn rejections_late_acks_and_a_backlog_are_not_keeping_up() {
        let good = Stats {
            planned_per_second: 100.0,
            planned: 1_000,
            acked: 1_000,
            acked_per_second: 100.0,
            ack_ms: Latency { p99: 49.0, ..Latency::default() },
            ..Stats::default()
        };
        assert!(keeps_up(&good, Bound::Ack(50.0)));
        assert!(!keeps_up(&good, Bound::Ack(48.0)));
        assert!(!keeps_up(&Stats { acked: 900, ..good.clone() }, Bound::Ack(50.0)));
        assert!(!keeps_up(&Stats { acked_per_second: 90.0, ..good.clone() }, Bound::Ack(50.0)));
        let rejections = [("unavailable".to_owned(), 1)].into();
        assert!(!keeps_up(&Stats { rejections, ..good }, Bound::Ack(50.0)));
    }
}
