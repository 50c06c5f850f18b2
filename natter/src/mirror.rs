//! `natter mirror`: whether Kafka has what the log has.

use std::{fmt::Write as _, process::ExitCode, time::Duration};

use anyhow::Context;
use natter_workers::kafka_sink::{
    Options,
    verify::{PartitionReport, Verifier},
};
use serde_json::json;

use crate::{
    cli::{
        mirror::{MirrorCommand, MirrorVerifyArgs},
        target::Target,
    },
    operator::Operator,
};

pub async fn run(command: &MirrorCommand, target: &Target) -> anyhow::Result<ExitCode> {
    match command {
        MirrorCommand::Verify(args) => verify(args, target).await,
    }
}

#[expect(clippy::print_stdout, reason = "the verdict is the command's answer")]
async fn verify(args: &MirrorVerifyArgs, target: &Target) -> anyhow::Result<ExitCode> {
    let operator = Operator::start(target).await?;
    let partitions = operator.partitions(args.partition)?;
    let kafka = operator.settings().kafka.clone();
    let kafka = kafka.context("KAFKA_BROKERS is missing; allowed: host:port, comma-separated")?;
    let verifier = Verifier {
        options: Options::from(kafka),
        log: operator.log.clone(),
        deployment: operator.deployment.clone(),
        keys: operator.keys().await?,
        patience: Duration::from_secs(args.wait),
    };
    let (mut records, mut faults) = (0, 0);
    for p in partitions {
        let verdict = verifier.partition(p).await?;
        records += verdict.records;
        faults += verdict.faults.total;
        println!("{}", if args.json { object(&verdict) } else { lines(&verdict) });
    }
    if !args.json {
        match faults {
            0 => println!("the topic is whole: {records} records"),
            _ => println!("the topic is not whole: {faults} differences in {records} records"),
        }
    }
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn lines(verdict: &PartitionReport) -> String {
    let PartitionReport { partition, records, equal, faults, .. } = verdict;
    let range = match verdict.range {
        Some((first, last)) => format!("seq {first} to {last}, "),
        None => String::new(),
    };
    let result =
        if verdict.is_whole() { "whole".to_owned() } else { format!("{} differences", faults.total) };
    let mut text =
        format!("partition {partition}: {records} records, {range}{equal} equal to the log: {result}");
    if verdict.other_content > 0 {
        let _ = write!(text, " ({} written under another KAFKA_CONTENT)", verdict.other_content);
    }
    if verdict.expired {
        text.push_str(" (kafka has forgotten the beginning)");
    }
    for fault in &faults.first {
        let _ = write!(text, "\n  {fault}");
    }
    if faults.more() > 0 {
        let _ = write!(text, "\n  and {} more", faults.more());
    }
    text
}

fn object(verdict: &PartitionReport) -> String {
    json!({
        "partition": verdict.partition,
        "records": verdict.records,
        "firstSeq": verdict.range.map(|(first, _)| first),
        "lastSeq": verdict.range.map(|(_, last)| last),
        "equal": verdict.equal,
        "otherContent": verdict.other_content,
        "expired": verdict.expired,
        "whole": verdict.is_whole(),
        "differences": verdict.faults.total,
        "first": verdict.faults.first.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
    .to_string()
}
