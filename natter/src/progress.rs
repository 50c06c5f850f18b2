//! How far it is: a bar on a terminal, a line now and then elsewhere.

use std::{
    io::IsTerminal,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(5);

pub struct Bar {
    what: &'static str,
    total: u64,
    done: AtomicU64,
    begun: Instant,
    /// Seconds after `begun` at which the last line was due.
    lines: AtomicU64,
    terminal: Option<ProgressBar>,
}

impl Bar {
    pub fn new(what: &'static str, total: u64) -> anyhow::Result<Self> {
        let style = ProgressStyle::with_template("{msg:>8} {wide_bar} {pos}/{len}  {per_sec}  {eta}")?;
        let terminal = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total).with_style(style).with_message(what);
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        let (done, lines) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { what, total, done, begun: Instant::now(), lines, terminal })
    }

    pub fn add(&self) {
        self.add_many(1);
    }

    pub fn add_many(&self, more: u64) {
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        if let Some(bar) = &self.terminal {
            bar.inc(more);
            return;
        }
        let due = self.begun.elapsed().as_secs() / EVERY.as_secs();
        if self.lines.fetch_max(due, Ordering::Relaxed) < due {
            self.line(done);
        }
    }

    /// So many in all.
    pub fn to(&self, done: u64) {
        self.add_many(done.saturating_sub(self.done.load(Ordering::Relaxed)));
    }

    pub fn end(&self) {
        match &self.terminal {
            Some(bar) => bar.finish(),
            None => self.line(self.done.load(Ordering::Relaxed)),
        }
    }

    #[expect(clippy::print_stderr, reason = "progress is what standard error is for here")]
    fn line(&self, done: u64) {
        eprintln!("{}: {done} of {}", self.what, self.total);
    }
}
