//! Spans: which piece of work belongs to which trace, and how long it took. Whether a span is exported is decided at its end,
//! so one that is not allocates nothing; while nothing is exported at all, none is made, and a trace context that a client
//! sent is passed on as it came ([0035](../../docs/decisions/0035-spans-are-judged-at-their-end.md)).

mod context; // the trace that a task works for
mod recorder; // which spans are exported
mod span; // a piece of work

pub use context::{Position, current, within};
pub use recorder::{Recorder, Twice, start};
pub use span::{Attribute, Finished, Kind, Span, Value};
