//! When each message is due. An open loop: the plan does not wait for the server, so a stall shows as the
//! latency of everything that was due meanwhile, as it would to people.

use std::time::Duration;

/// One socket's due times, counted from the start of a step.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    first: Duration,
    every: Duration,
    until: Duration,
}

impl Pace {
    /// The share of one of `sockets` in `rate` messages a second; `phase` (0 to 1) spreads them over time.
    pub fn new(rate: f64, sockets: u32, phase: f64, until: Duration) -> Self {
        let every = f64::from(sockets) / rate.max(0.001);
        Self { first: Duration::from_secs_f64(every * phase), every: Duration::from_secs_f64(every), until }
    }

    /// When the nth message is due; `None` past the end.
    pub fn due(&self, nth: usize) -> Option<Duration> {
        let due = self.first + self.every.checked_mul(u32::try_from(nth).ok()?)?;
        (due < self.until).then_some(due)
    }

    pub fn all(self) -> impl Iterator<Item = Duration> + Send {
        (0..).map_while(move |nth| self.due(nth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sockets_together_make_the_rate() {
        let second = Duration::from_secs(1);
        let sent: usize =
            (0..50_u32).map(|i| Pace::new(400.0, 50, f64::from(i) / 50.0, second).all().count()).sum();
        assert_eq!(sent, 400);
    }

    #[test]
    fn due_times_are_evenly_spaced_and_begin_with_the_phase() {
        let due: Vec<_> =
            Pace::new(4.0, 2, 0.5, Duration::from_secs(2)).all().map(|d| d.as_millis()).collect();
        assert_eq!(due, [250, 750, 1_250, 1_750]);
    }
}
