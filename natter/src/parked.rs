//! `natter parked`: events no job could use, taken up by a person.

mod print; // one as a line, as JSON, with and without what people wrote

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use natter_schemas::id::{Partition, Seq};
use natter_workers::parked::{Again, Filter, Parked, Shelf};

use crate::{
    cli::operator::{AgainArgs, DropArgs, ListArgs, ParkedCommand, ShowArgs},
    operator::Operator,
    parts,
};

pub async fn run(command: &ParkedCommand) -> anyhow::Result<ExitCode> {
    let operator = Operator::start().await?;
    let shelf = Shelf { log: operator.log.clone(), js: operator.js.clone() };
    match command {
        ParkedCommand::List(args) => list(&shelf, args).await,
        ParkedCommand::Show(args) => show(&shelf, args).await,
        ParkedCommand::Replay(args) => replay(&operator, &shelf, args).await,
        ParkedCommand::Drop(args) => remove(&shelf, args).await,
    }
}

#[expect(clippy::print_stdout, reason = "the list is the command's answer")]
async fn list(shelf: &Shelf, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let filter = Filter { job: args.job.clone(), partition: args.partition.map(Partition) };
    let (mut next, mut shown) = (1, 0);
    while shown < args.limit {
        let some = shelf.from(&filter, next).await?;
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
async fn show(shelf: &Shelf, args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let parked = shelf.get(args.number).await?;
    let parked = parked.with_context(|| format!("nothing is parked as {}", args.number))?;
    println!("{:#}", print::whole(&parked, args.content));
    Ok(ExitCode::SUCCESS)
}

async fn replay(operator: &Operator, shelf: &Shelf, args: &AgainArgs) -> anyhow::Result<ExitCode> {
    let again = Again {
        partitions: operator.deployment.partitions,
        store: operator.store().await?,
        publisher: operator.publisher().await?,
    };
    let stayed = if args.all { all(shelf, &again).await } else { named(shelf, &again, &args.numbers).await };
    parts::close_store(&*again.store).await;
    Ok(if stayed? == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many stayed. What is parked meanwhile waits for the next command: it may be one of these.
async fn all(shelf: &Shelf, again: &Again) -> anyhow::Result<usize> {
    let (mut next, mut stayed, mut known) = (1, 0, Vec::new());
    loop {
        let some = shelf.from(&Filter::default(), next).await?;
        let Some(last) = some.last() else { break };
        next = last.number + 1;
        known.extend(some.iter().map(|parked| parked.number));
    }
    for number in known {
        stayed += usize::from(!one(shelf, again, number).await?);
    }
    Ok(stayed)
}

async fn named(shelf: &Shelf, again: &Again, numbers: &[Seq]) -> anyhow::Result<usize> {
    let mut stayed = 0;
    for number in numbers {
        stayed += usize::from(!one(shelf, again, *number).await?);
    }
    Ok(stayed)
}

/// Whether it succeeded. It is removed only then.
async fn one(shelf: &Shelf, again: &Again, number: Seq) -> anyhow::Result<bool> {
    let Some(parked) = shelf.get(number).await? else {
        say(number, "is not parked");
        return Ok(false);
    };
    if let Err(reason) = again.run(&parked).await {
        say(number, &format!("stays: {reason}"));
        return Ok(false);
    }
    let place = print::place(&parked);
    if let Err(error) = shelf.remove(number).await {
        say(number, &format!("persisted ({place}), but stays: {error}"));
        return Ok(false);
    }
    say(number, &format!("persisted ({place}), no longer parked"));
    Ok(true)
}

#[expect(clippy::print_stdout, reason = "what became of each event is the command's answer")]
fn say(number: Seq, what: &str) {
    println!("{number}: {what}");
}

async fn remove(shelf: &Shelf, args: &DropArgs) -> anyhow::Result<ExitCode> {
    let mut found: Vec<Parked> = Vec::new();
    let mut complete = true;
    for number in &args.numbers {
        match shelf.get(*number).await? {
            Some(parked) => found.push(parked),
            None => {
                say(*number, "is not parked");
                complete = false;
            }
        }
    }
    if !found.is_empty() && !args.yes && !confirmed(&found)? {
        for parked in &found {
            say(parked.number, "stays");
        }
        return Ok(ExitCode::FAILURE);
    }
    for parked in &found {
        shelf.remove(parked.number).await?;
        say(parked.number, &format!("dropped ({})", print::place(parked)));
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
