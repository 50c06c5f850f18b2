//! `natter verify`: whether the store, and Kafka where there is a mirror, have what the log has.

mod print; // a verdict as lines and as JSON

use std::{collections::HashMap, process::ExitCode, time::Duration};

use natter_schemas::id::{Partition, Seq};
use natter_workers::{
    kafka_sink::{self, Options},
    parked::{Filter, ParkedEvents},
    persist,
    verify::{PartitionReport, Verifier},
};
use serde_json::json;

use crate::{bootstrap, cli::operator::VerifyArgs, operator::Operator, progress::Bar};

/// How long a mirror that is behind may take to catch up.
const MIRROR: Duration = Duration::from_secs(30);

/// By seq in the log of one partition, the number under which an event is parked.
pub type ParkedAs = HashMap<Seq, Seq>;

/// What is known of one partition.
pub struct Checked {
    pub store: PartitionReport,
    pub parked: ParkedAs,
    /// Of Kafka, if there is one: its verdict, or why there is none.
    pub mirror: Option<Result<kafka_sink::verify::PartitionReport, String>>,
}

impl Checked {
    pub fn is_equal(&self) -> bool {
        let mirrored = match &self.mirror {
            None => true,
            Some(Ok(verdict)) => verdict.is_whole(),
            Some(Err(_)) => false,
        };
        self.store.is_equal() && mirrored
    }
}

pub async fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let operator = Operator::start(&args.target).await?;
    let partitions = operator.partitions(args.partition)?;
    let (store, log, keys) = (operator.store().await?, operator.log.clone(), operator.keys().await?);
    let partitions_of_log = operator.deployment.partitions;
    let verifier = Verifier { store: store.clone(), log, partitions: partitions_of_log, keys };
    let equal = all(&operator, &verifier, &partitions, args.json).await;
    bootstrap::close_store(&*store).await;
    Ok(if equal? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the verdict is the command's answer")]
async fn all(
    operator: &Operator,
    verifier: &Verifier,
    partitions: &[Partition],
    as_json: bool,
) -> anyhow::Result<bool> {
    // Asked once: what is written meanwhile is compared next time.
    let floors = operator.log.floors().await?;
    let floor = |p: &Partition| floors.get(usize::from(p.0)).copied().unwrap_or(0);
    let keys = verifier.keys.clone();
    let mirror = operator.settings().kafka.clone().map(|kafka| kafka_sink::verify::Verifier {
        options: Options::from(kafka),
        log: operator.log.clone(),
        deployment: operator.deployment.clone(),
        keys,
        patience: MIRROR,
    });
    let bar = Bar::new("verified", partitions.iter().map(floor).sum())?;
    let (mut equal, mut objects) = (true, Vec::new());
    for p in partitions {
        let store = verifier.partition(*p, floor(p), |passed| bar.add_many(passed)).await?;
        let parked =
            if store.differences.is_empty() { ParkedAs::new() } else { parked(operator, *p).await? };
        let mirror = match &mirror {
            Some(mirror) => Some(mirror.partition(*p).await.map_err(|error| error.to_string())),
            None => None,
        };
        let checked = Checked { store, parked, mirror };
        equal &= checked.is_equal();
        if as_json {
            objects.push(print::json(&checked));
        } else {
            println!("{}", print::lines(&checked));
        }
    }
    bar.end();
    if as_json {
        println!("{}", json!({ "equal": equal, "partitions": objects }));
    }
    Ok(equal)
}

/// A row that is missing because its event is parked has a remedy of its own.
async fn parked(operator: &Operator, partition: Partition) -> anyhow::Result<ParkedAs> {
    let shelf = ParkedEvents { log: operator.log.clone(), js: operator.js.clone() };
    let filter = Filter { job: Some(persist::JOB.to_owned()), partition: Some(partition) };
    let (mut next, mut numbers) = (1, ParkedAs::new());
    loop {
        let some = shelf.from(&filter, next).await?;
        let Some(last) = some.last() else { return Ok(numbers) };
        next = last.number + 1;
        numbers.extend(some.iter().filter_map(|parked| Some((parked.seq?, parked.number))));
    }
}
