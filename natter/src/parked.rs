//! `natter parked`: events no job could use, taken up by a person.

mod print; // one as a line, as JSON, with and without what people wrote

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use natter_schemas::id::{Partition, Seq};
use natter_workers::parked::{Filter, Parked, ParkedEvents, Rerun};

use crate::{
    bootstrap,
    cli::{
        operator::{DropArgs, ListArgs, ParkedCommand, RerunArgs, ShowArgs},
        target::Target,
    },
    operator::Operator,
};

pub async fn run(command: &ParkedCommand, target: &Target) -> anyhow::Result<ExitCode> {
    let operator = Operator::start(target).await?;
    let parked_events = ParkedEvents { log: operator.judged_log().await?, js: operator.js.clone() };
    match command {
        ParkedCommand::List(args) => list(&parked_events, args).await,
        ParkedCommand::Show(args) => show(&parked_events, args).await,
        ParkedCommand::Replay(args) => replay(&operator, &parked_events, args).await,
        ParkedCommand::Drop(args) => remove(&parked_events, args).await,
    }
}

#[expect(clippy::print_stdout, reason = "the list is the command's answer")]
async fn list(parked_events: &ParkedEvents, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let filter = Filter { job: args.job.clone(), partition: args.partition.map(Partition) };
    let (mut next, mut shown) = (1, 0);
    while shown < args.limit {
        let some = parked_events.from(&filter, next).await?;
        let Some(last) = some.last() else { break };
        next = last.number + 1;
        for parked in some.iter().take(usize::try_from(args.limit - shown).unwrap_or(usize::MAX)) {
            if shown == 0 && !args.json {
                println!("{}", print::HEADER);
            }
            println!("{}", if args.json { print::json(parked).to_string() } else { print::line(parked) });
            shown += 1;
        }
    }
    if shown == 0 && !args.json {
        println!("nothing is parked");
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the event is the command's answer")]
async fn show(parked_events: &ParkedEvents, args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let parked = parked_events.get(args.number).await?;
    let parked = parked.with_context(|| format!("nothing is parked as {}", args.number))?;
    println!("{:#}", print::whole(&parked, args.content));
    Ok(ExitCode::SUCCESS)
}

async fn replay(
    operator: &Operator,
    parked_events: &ParkedEvents,
    args: &RerunArgs,
) -> anyhow::Result<ExitCode> {
    let rerun = Rerun {
        partitions: operator.deployment.partitions,
        store: operator.store().await?,
        publisher: operator.publisher().await?,
        log: operator.log.clone(),
    };
    let stayed = if args.all {
        all(parked_events, &rerun).await
    } else {
        named(parked_events, &rerun, &args.numbers).await
    };
    bootstrap::close_store(&*rerun.store).await;
    Ok(if stayed? == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many stayed. What is parked meanwhile waits for the next command: it may be one of these.
async fn all(parked_events: &ParkedEvents, rerun: &Rerun) -> anyhow::Result<usize> {
    let (mut next, mut stayed, mut known) = (1, 0, Vec::new());
    loop {
        let some = parked_events.from(&Filter::default(), next).await?;
        let Some(last) = some.last() else { break };
        next = last.number + 1;
        known.extend(some.iter().map(|parked| parked.number));
    }
    for number in known {
        stayed += usize::from(!one(parked_events, rerun, number).await?);
    }
    Ok(stayed)
}

async fn named(parked_events: &ParkedEvents, rerun: &Rerun, numbers: &[Seq]) -> anyhow::Result<usize> {
    let mut stayed = 0;
    for number in numbers {
        stayed += usize::from(!one(parked_events, rerun, *number).await?);
    }
    Ok(stayed)
}

/// Whether it succeeded. It is removed only then.
async fn one(parked_events: &ParkedEvents, rerun: &Rerun, number: Seq) -> anyhow::Result<bool> {
    let Some(parked) = parked_events.get(number).await? else {
        print_event(number, "is not parked");
        return Ok(false);
    };
    if let Err(reason) = rerun.run(&parked).await {
        print_event(number, &format!("stays: {reason}"));
        return Ok(false);
    }
    let place = print::place(&parked);
    if let Err(error) = parked_events.remove(number).await {
        print_event(number, &format!("persisted ({place}), but stays: {error}"));
        return Ok(false);
    }
    print_event(number, &format!("persisted ({place}), no longer parked"));
    Ok(true)
}

#[expect(clippy::print_stdout, reason = "what became of each event is the command's answer")]
fn print_event(number: Seq, what: &str) {
    println!("{number}: {what}");
}

async fn remove(parked_events: &ParkedEvents, args: &DropArgs) -> anyhow::Result<ExitCode> {
    let mut found: Vec<Parked> = Vec::new();
    let mut complete = true;
    for number in &args.numbers {
        match parked_events.get(*number).await? {
            Some(parked) => found.push(parked),
            None => {
                print_event(*number, "is not parked");
                complete = false;
            }
        }
    }
    if !found.is_empty() && !args.yes && !confirmed(&found)? {
        for parked in &found {
            print_event(parked.number, "stays");
        }
        return Ok(ExitCode::FAILURE);
    }
    for parked in &found {
        parked_events.remove(parked.number).await?;
        print_event(parked.number, &format!("dropped ({})", print::place(parked)));
    }
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Anything but `y` is a no, the end of a pipe too.
#[expect(clippy::print_stderr, reason = "a question to the person at the terminal")]
fn confirmed(found: &[Parked]) -> anyhow::Result<bool> {
    for parked in found {
        eprintln!("{}", print::line(parked));
    }
    eprint!("Delete for good? They will never be in history. [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
