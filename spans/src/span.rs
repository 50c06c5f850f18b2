//! A piece of work of this process.

use std::{
    borrow::Cow,
    time::{Duration, Instant, SystemTime},
};

use natter_schemas::trace_context::TraceContext;

use super::{
    context::Position,
    recorder::{Recorder, recorder},
};

/// Links of one span: as many as OpenTelemetry keeps by default.
const LINKS: usize = 128;

/// What part of an exchange it is, as `OpenTelemetry` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Server,
    Client,
    Producer,
    Consumer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(Cow<'static, str>),
    Number(i64),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// By the names of `OpenTelemetry` where it has one. Ids and numbers: no content, no name of a person, no secret.
pub type Attribute = (&'static str, Value);

/// Work under way.
#[derive(Debug)]
#[must_use]
pub struct Span {
    position: Option<Position>,
    /// `None` while nothing is exported, and after the end.
    active: Option<Active>,
}

#[derive(Debug)]
struct Active {
    name: &'static str,
    kind: Kind,
    parent: Option<Position>,
    links: Vec<TraceContext>,
    begun: Instant,
}

/// A span that is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub name: &'static str,
    pub kind: Kind,
    pub context: TraceContext,
    pub parent: Option<Position>,
    pub begun: SystemTime,
    pub ended: SystemTime,
    /// Why, if it failed by a fault of the deployment.
    pub failed: Option<&'static str>,
    pub attributes: Vec<Attribute>,
    pub links: Vec<TraceContext>,
}

impl Span {
    /// Begins work that `parent` caused.
    pub fn begin(kind: Kind, name: &'static str, parent: Option<Position>) -> Self {
        let Some(recorder) = recorder() else { return Self { position: parent, active: None } };
        let active = Active { name, kind, parent, links: Vec::new(), begun: Instant::now() };
        Self { position: Some(recorder.position(parent)), active: Some(active) }
    }

    /// Begins work on what others sent, at a time of its own: it is part of none of their traces, and names those that are
    /// sampled. One of them is enough for it to be sampled as well.
    pub fn linked(name: &'static str, causes: impl Iterator<Item = TraceContext>) -> Self {
        let Some(recorder) = recorder() else { return Self { position: None, active: None } };
        let links: Vec<_> = causes.filter(|cause| cause.sampled).take(LINKS).collect();
        let mut position = recorder.position(None);
        position.context.sampled = !links.is_empty();
        let active = Active { name, kind: Kind::Consumer, parent: None, links, begun: Instant::now() };
        Self { position: Some(position), active: Some(active) }
    }

    /// What this work causes belongs to.
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// The work is done. Its attributes are asked for if it is exported.
    pub fn end(mut self, failed: Option<&'static str>, describe: impl FnOnce() -> Vec<Attribute>) {
        self.finish(failed, describe);
    }

    fn finish(&mut self, failed: Option<&'static str>, describe: impl FnOnce() -> Vec<Attribute>) {
        let Some(Active { name, kind, parent, links, begun }) = self.active.take() else { return };
        let (Some(recorder), Some(Position { context, .. })) = (recorder(), self.position) else { return };
        let took = begun.elapsed();
        if Recorder::exports(context.sampled, failed.is_some(), took) {
            recorder.hand(|| {
                let (begun, ended) = times(took);
                let attributes = describe();
                Finished { name, kind, context, parent, begun, ended, failed, attributes, links }
            });
        }
    }
}

impl Drop for Span {
    /// Whoever waited for the work has gone, and it with them.
    fn drop(&mut self) {
        self.finish(None, || vec![("natter.abandoned", "true".into())]);
    }
}

#[expect(clippy::disallowed_methods, reason = "a span is shorter than the milliseconds of an event's time")]
fn times(took: Duration) -> (SystemTime, SystemTime) {
    let ended = SystemTime::now();
    (ended.checked_sub(took).unwrap_or(ended), ended)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// One for all tests of the process, as in the program.
    fn finished() -> mpsc::Receiver<Finished> {
        let (queue, finished) = mpsc::channel(16);
        super::super::start(Recorder::new(0.0, queue)).expect("started once");
        finished
    }

    const fn at(span: u64, sampled: bool) -> TraceContext {
        TraceContext { trace: 7, span, sampled }
    }

    #[test]
    fn a_span_is_exported_by_its_trace_or_its_end() {
        let before = Span::begin(Kind::Server, "before", Some(Position::given(at(1, true))));
        assert_eq!(before.position(), Some(Position::given(at(1, true))), "passed on as it came");
        before.end(None, Vec::new);
        let mut finished = finished();

        Span::begin(Kind::Server, "unsampled", None).end(None, || unreachable!("described for nothing"));
        drop(Span::begin(Kind::Server, "unsampled and left", None));
        Span::linked("on what is unsampled", [at(1, false)].into_iter()).end(None, Vec::new);
        assert!(finished.try_recv().is_err());

        Span::begin(Kind::Server, "failed", None).end(Some("internal"), || vec![("a", 1_i64.into())]);
        let failed = finished.try_recv().expect("exported");
        assert_eq!((failed.name, failed.failed, failed.parent), ("failed", Some("internal"), None));
        assert_eq!(failed.attributes, [("a", Value::Number(1))]);

        let parent = Position::given(at(1, true));
        drop(Span::begin(Kind::Server, "left", Some(parent)));
        let left = finished.try_recv().expect("exported");
        assert_eq!((left.context.trace, left.parent), (7, Some(parent)));
        assert_eq!(left.attributes, [("natter.abandoned", "true".into())]);

        // Work on what others sent: in a trace of its own, with a bounded number of links.
        let causes = (1..=300).map(|span| at(span, span % 2 == 0));
        Span::linked("batch", causes).end(None, Vec::new);
        let batch = finished.try_recv().expect("exported");
        assert!(batch.context.trace != 7 && batch.parent.is_none(), "{batch:?}");
        assert_eq!(batch.links, (1..=128).map(|half| at(half * 2, true)).collect::<Vec<_>>());
    }
}
