//! `natter replay`: the log's events persisted again, into a store that was lost or restored from a backup.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use natter_schemas::id::{Partition, Seq};
use natter_workers::{
    persist::Persister,
    replay::{Replay, Replayed},
};

use crate::{bootstrap, cli::operator::ReplayArgs, operator::Operator, progress::Bar};

pub async fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    ensure!(
        args.partition.is_some() || args.from == 1,
        "--from {} needs --partition: each partition counts for itself, and only 1 means the beginning of all",
        args.from
    );
    let operator = Operator::start(&args.target).await?;
    let ranges = ranges(&operator, args).await?;
    let bar = Bar::new("replayed", ranges.iter().map(|(_, from, to)| (to + 1).saturating_sub(*from)).sum())?;
    let (store, publisher) = (operator.store().await?, operator.publisher().await?);
    let log = operator.judged_log().await?;
    let mut clean = true;
    let mut stopped = Ok(());
    for (partition, from, to) in ranges {
        let persister = Persister {
            partition,
            partitions: operator.deployment.partitions,
            store: store.clone(),
            publisher: publisher.clone(),
            log: log.clone(),
        };
        let replay = Replay { persister, log: log.clone() };
        let mut done = Replayed::default();
        let ran = replay.run((from, to), &mut done, |passed| bar.add_many(passed)).await;
        report(partition, &done);
        clean &= done.refused.is_empty();
        if let Err(error) = ran {
            let next = done.last.map_or(from, |last| last + 1);
            stopped = Err(error).with_context(|| {
                format!("partition {partition} stopped; go on with --partition {partition} --from {next}")
            });
            break;
        }
    }
    bar.end();
    bootstrap::close_store(&*store).await;
    stopped?;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Up to where the log is now: a log that is written to has no other end.
async fn ranges(operator: &Operator, args: &ReplayArgs) -> anyhow::Result<Vec<(Partition, Seq, Seq)>> {
    let ends = operator.log.last_seqs().await?;
    let partitions = operator.partitions(args.partition)?.into_iter();
    Ok(partitions
        .map(|p| {
            let end = ends.get(usize::from(p.0)).copied().unwrap_or(0);
            (p, args.from, args.to.map_or(end, |to| to.min(end)))
        })
        .collect())
}

#[expect(clippy::print_stdout, reason = "what became of the events is the command's answer")]
fn report(partition: Partition, done: &Replayed) {
    let (Some(first), Some(last)) = (done.first, done.last) else {
        println!("partition {partition}: no events");
        return;
    };
    println!(
        "partition {partition}: {} events of seq {first} to {last} are stored, {} unreadable, {} refused; {} memberships published",
        done.stored, done.unreadable.total, done.refused.total, done.notified
    );
    for (kind, sample) in [("unreadable", &done.unreadable), ("refused", &done.refused)] {
        for (seq, reason) in &sample.first {
            println!("  seq {seq} {kind}: {reason}");
        }
        if sample.more() > 0 {
            println!("  and {} more {kind}", sample.more());
        }
    }
}
