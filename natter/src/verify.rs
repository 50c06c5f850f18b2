//! `natter verify`: whether the store has what the log says.

mod print; // a verdict as lines and as JSON

use std::{collections::HashMap, process::ExitCode};

use schemas::id::{Partition, Seq};
use workers::{
    parked::{Filter, Shelf},
    persist,
    verify::{Verdict, Verifier},
};

use crate::{cli::operator::VerifyArgs, operator::Operator, parts, progress::Bar};

/// By seq in the log of one partition, the number under which an event is parked.
pub type ParkedAs = HashMap<Seq, Seq>;

pub async fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let operator = Operator::start().await?;
    let partitions = operator.partitions(args.partition)?;
    let store = operator.store().await?;
    let verifier = Verifier {
        store: store.clone(),
        log: operator.log.clone(),
        partitions: operator.deployment.partitions,
    };
    let equal = all(&operator, &verifier, &partitions, args).await;
    parts::close_store(&*store).await;
    Ok(if equal? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn all(
    operator: &Operator,
    verifier: &Verifier,
    partitions: &[Partition],
    args: &VerifyArgs,
) -> anyhow::Result<bool> {
    // Asked once: what is written meanwhile is compared next time.
    let floors = operator.log.floors().await?;
    let floor = |p: &Partition| floors.get(usize::from(p.0)).copied().unwrap_or(0);
    let bar = Bar::new("verified", partitions.iter().map(floor).sum())?;
    let mut equal = true;
    for p in partitions {
        let verdict = verifier.partition(*p, floor(p), |passed| bar.add_many(passed)).await?;
        let parked =
            if verdict.differences.is_empty() { ParkedAs::new() } else { parked(operator, *p).await? };
        equal &= verdict.is_equal();
        say(&verdict, &parked, args.json);
    }
    bar.end();
    Ok(equal)
}

/// A row that is missing because its event is parked has a remedy of its own.
async fn parked(operator: &Operator, partition: Partition) -> anyhow::Result<ParkedAs> {
    let shelf = Shelf { log: operator.log.clone(), js: operator.js.clone() };
    let filter = Filter { job: Some(persist::JOB.to_owned()), partition: Some(partition) };
    let (mut next, mut numbers) = (1, ParkedAs::new());
    loop {
        let some = shelf.from(&filter, next).await?;
        let Some(last) = some.last() else { return Ok(numbers) };
        next = last.number + 1;
        numbers.extend(some.iter().filter_map(|parked| Some((parked.seq?, parked.number))));
    }
}

#[expect(clippy::print_stdout, reason = "the verdict is the command's answer")]
fn say(verdict: &Verdict, parked: &ParkedAs, json: bool) {
    if json {
        println!("{}", print::json(verdict, parked));
    } else {
        println!("{}", print::lines(verdict, parked));
    }
}
