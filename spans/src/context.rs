//! The trace that a task works for: ambient, because it changes nothing of what is done.

use natter_schemas::trace_context::TraceContext;
use tokio::task_local;

task_local! {
    static CURRENT: Option<Position>;
}

/// A place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub context: TraceContext,
    /// The trace did not begin in this process: someone else knows it.
    pub given: bool,
}

impl Position {
    /// What a client or another process has sent.
    pub const fn given(context: TraceContext) -> Self {
        Self { context, given: true }
    }

    /// For what is kept of the work: it costs room, so only if someone may look for it.
    pub fn kept(self) -> Option<TraceContext> {
        (self.given || self.context.sampled).then_some(self.context)
    }
}

/// What this task works for; another task that it starts works for nothing.
pub fn current() -> Option<Position> {
    CURRENT.try_with(|current| *current).ok().flatten()
}

/// Does the work as part of this trace.
pub fn within<F: Future>(position: Option<Position>, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(position, work)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(sampled: bool) -> TraceContext {
        TraceContext { trace: 1, span: 2, sampled }
    }

    #[tokio::test]
    async fn work_knows_its_own_trace_alone() {
        let position = Position::given(at(true));
        assert_eq!(current(), None);
        within(Some(position), async {
            assert_eq!(current(), Some(position));
            within(None, async { assert_eq!(current(), None) }).await;
            assert_eq!(tokio::spawn(async { current() }).await.ok().flatten(), None);
            assert_eq!(current(), Some(position));
        })
        .await;
        assert_eq!(current(), None);
    }

    #[test]
    fn what_no_one_looks_for_is_not_kept() {
        assert_eq!(Position { context: at(false), given: false }.kept(), None);
        assert_eq!(Position { context: at(true), given: false }.kept(), Some(at(true)));
        assert_eq!(Position::given(at(false)).kept(), Some(at(false)));
    }
}
