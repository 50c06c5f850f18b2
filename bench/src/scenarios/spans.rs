//! Spans alone, without a chat around them: what those of one message cost all processes together, where none is exported and
//! where those of one trace in a hundred are. A load on whole servers cannot show a microsecond of several hundred.

use std::{future::ready, hint::black_box};

use natter_spans::{Kind, Position, Recorder, Span, current, within};
use tokio::sync::mpsc;

use crate::{bench::Bench, outcome::Outcome, results::Metric, usage::own};

const CPU: Metric = Metric::lower("cpu", "CPU of the spans of one message, all processes together", "µs");
/// As the queue of a process.
const QUEUE: usize = 8_192;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// So often with spans off, and then with one trace in a hundred.
    #[arg(long, default_value_t = 8)]
    pub rounds: u32,
    /// Messages of a round.
    #[arg(long, default_value_t = 200_000)]
    pub messages: u32,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("spans");
    bench.wait_for(measure(&mut outcome, "off", args));
    // For the rest of this process: spans that are on stay on.
    let (queue, mut finished) = mpsc::channel(QUEUE);
    natter_spans::start(Recorder::new(0.01, queue))?;
    bench.wait_for(async {
        tokio::select! {
            () = measure(&mut outcome, "1 in 100", args) => {}
            () = async { while finished.recv().await.is_some() {} } => {}
        }
    });
    outcome.steps.extend(bench.take_steps());
    Ok(outcome)
}

async fn measure(outcome: &mut Outcome, name: &str, args: &Args) {
    for _ in 0..args.rounds {
        let before = own();
        for nth in 0..args.messages {
            message().await;
            if nth % 1_000 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let each = (own() - before).cpu_seconds * 1e6 / f64::from(args.messages.max(1));
        outcome.results.add(("spans", "a message"), CPU, name, each);
    }
}

/// A command with a call on the way to its event; an edge that delivers it, a batch of its own in the store, and its record.
async fn message() {
    let command = Span::begin(Kind::Server, "send", black_box(None));
    let published = within(command.position(), async {
        call().await;
        let event = Span::begin(Kind::Producer, "publish conv", current());
        let published = event.position().and_then(Position::kept);
        event.end(black_box(None), Vec::new);
        published
    })
    .await;
    for name in ["deliver live", "mirror"] {
        if let Some(cause) = published {
            Span::linked(name, std::iter::once(cause)).end(black_box(None), Vec::new);
        }
    }
    Span::linked("persist", published.into_iter()).end(black_box(None), Vec::new);
    command.end(black_box(None), Vec::new);
}

async fn call() {
    let asked = Span::begin(Kind::Client, "is_sent", current());
    let answered = Span::begin(Kind::Server, "is_sent", asked.position());
    within(answered.position(), ready(())).await;
    answered.end(black_box(None), Vec::new);
    asked.end(black_box(None), Vec::new);
}
