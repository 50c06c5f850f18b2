//! Which spans are exported: those of traces that are sampled, and all that failed or took long.

use std::{sync::OnceLock, time::Duration};

use natter_schemas::trace_context::TraceContext;
use tokio::sync::mpsc;

use super::{context::Position, span::Finished};

/// A span that took longer is exported whether its trace is sampled or not.
const LONG: Duration = Duration::from_secs(1);

/// One for the process, like the recorder of metrics: every crate has work to report.
static RECORDER: OnceLock<Recorder> = OnceLock::new();

/// Decides what becomes of spans, and hands them to whoever exports them.
#[derive(Debug)]
pub struct Recorder {
    /// Of 2⁶³ traces that begin here, so many are sampled.
    sampled: u64,
    finished: mpsc::Sender<Finished>,
}

/// Spans are recorded already.
#[derive(Debug, thiserror::Error)]
#[error("the recorder of spans was started twice")]
pub struct Twice;

/// Spans are made from now on.
pub fn start(recorder: Recorder) -> Result<(), Twice> {
    RECORDER.set(recorder).map_err(|_| Twice)
}

pub fn recorder() -> Option<&'static Recorder> {
    RECORDER.get()
}

impl Recorder {
    /// `ratio`: from 0 to 1, how many of the traces that begin here are sampled. Spans that find no room are dropped.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2⁶³, and what is cut off is less than one trace"
    )]
    pub fn new(ratio: f64, finished: mpsc::Sender<Finished>) -> Self {
        Self { sampled: (ratio.clamp(0.0, 1.0) * 2_f64.powi(63)) as u64, finished }
    }

    /// Where a new span is. Its parent decides whether it is sampled; for a trace that begins here its id does.
    pub fn position(&self, parent: Option<Position>) -> Position {
        let span = rand::random::<u64>().max(1);
        match parent {
            Some(parent) => Position { context: TraceContext { span, ..parent.context }, ..parent },
            None => {
                let trace = rand::random::<u128>().max(1);
                let sampled = self.samples(trace);
                Position { context: TraceContext { trace, span, sampled }, given: false }
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half of a random number is one as well")]
    const fn samples(&self, trace: u128) -> bool {
        (trace as u64 >> 1) < self.sampled
    }

    pub fn exports(sampled: bool, failed: bool, took: Duration) -> bool {
        sampled || failed || took > LONG
    }

    /// Room is looked for first: what is dropped costs no more than that.
    pub fn hand(&self, finished: impl FnOnce() -> Finished) {
        match self.finished.try_reserve() {
            Ok(place) => place.send(finished()),
            Err(_) => metrics::counter!("natter_spans_dropped_total", "reason" => "full").increment(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(ratio: f64) -> Recorder {
        Recorder::new(ratio, mpsc::channel(1).0)
    }

    #[test]
    fn the_ratio_is_that_of_traces_which_begin_here() {
        for (ratio, least, most) in [(0.0, 0, 0), (0.25, 2_000, 3_000), (1.0, 10_000, 10_000)] {
            let recorder = recorder(ratio);
            let sampled = (0..10_000).filter(|_| recorder.position(None).context.sampled).count();
            assert!((least..=most).contains(&sampled), "{sampled} of 10,000 at {ratio}");
        }
    }

    #[test]
    fn a_parent_decides_and_its_trace_goes_on() {
        for sampled in [true, false] {
            let parent = Position::given(TraceContext { trace: 1, span: 2, sampled });
            let child = recorder(if sampled { 0.0 } else { 1.0 }).position(Some(parent));
            assert_eq!((child.context.trace, child.context.sampled, child.given), (1, sampled, true));
            assert_ne!(child.context.span, parent.context.span);
        }
    }

    #[test]
    fn what_failed_or_took_long_is_exported_in_any_case() {
        let (short, long) = (Duration::from_millis(999), Duration::from_millis(1_001));
        assert!(!Recorder::exports(false, false, short));
        for (sampled, failed, took) in [(true, false, short), (false, true, short), (false, false, long)] {
            assert!(Recorder::exports(sampled, failed, took));
        }
    }
}
