//! `natter top`: all nodes of a deployment on one screen, from what they say of themselves.

mod source; // who is asked, and how
mod samples; // a line of /metrics
mod figures; // of one node
mod book; // what is remembered between looks
mod view; // what is shown, in numbers
mod numbers; // as people read them
mod screen; // as lines of text
mod terminal; // drawn, with keys

use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::bail;
use natter_runtime::lifecycle::StopSignals;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{cli::top::TopArgs, trace};
use book::Book;
use screen::{Screen, Sort};
use source::Source;
use view::View;

/// Of plain output: every column has room.
const WIDTH: usize = 180;

pub async fn run(args: &TopArgs) -> anyhow::Result<ExitCode> {
    let source =
        if args.addr.is_empty() { Source::nats(&args.target).await? } else { Source::ports(&args.addr)? };
    match (args.once, args.json) {
        (true, json) => once(source, args.every, json).await,
        (false, true) => lines(source, args.every).await,
        (false, false) => terminal::run(source, args.every).await.map(|()| ExitCode::SUCCESS),
    }
}

/// Twice, because rates are of two looks.
async fn once(mut source: Source, every: Duration, json: bool) -> anyhow::Result<ExitCode> {
    let (mut book, mut due, mut view) = (Book::default(), interval(every), View::default());
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..2 {
        due.tick().await;
        view = book.take(source.look().await?, Instant::now());
    }
    print(&if json { line(&view)? } else { plain(&view) })?;
    if view.answered() == 0 {
        match view.trouble {
            Some(trouble) => bail!("{trouble}"),
            None if matches!(source, Source::Ports { .. }) => bail!("no admin port answered"),
            None => bail!("{}", trace::NO_NODE),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Until a signal to stop, or until no one reads.
async fn lines(mut source: Source, every: Duration) -> anyhow::Result<ExitCode> {
    let (mut book, mut due, mut signals) = (Book::default(), interval(every), StopSignals::listen()?);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let looked = async {
            due.tick().await;
            source.look().await
        };
        let look = tokio::select! {
            look = looked => look?,
            () = signals.received() => return Ok(ExitCode::SUCCESS),
        };
        print(&line(&book.take(look, Instant::now()))?)?;
    }
}

fn line(view: &View) -> anyhow::Result<String> {
    Ok(serde_json::to_string(view)? + "\n")
}

fn plain(view: &View) -> String {
    let screen = Screen { view, sort: Sort::Name, hint: String::new() };
    let lines = screen.head(WIDTH).into_iter().chain(screen.nodes(WIDTH));
    lines.map(|line| line.to_string().trim_end().to_owned() + "\n").collect()
}

fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
