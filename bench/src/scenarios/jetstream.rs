//! The log alone: what Natter's own publisher gets out of JetStream without a chat around it, and what the NATS
//! project's own bench does. The only place where the bench knows Natter from inside.

use std::{
    cell::Cell,
    collections::HashMap,
    path::Path,
    process::{Child, Command, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use natter_nats::{
    apply,
    async_nats::jetstream,
    connect::{Address, Purpose, connect},
    publisher::Publisher,
    subject,
    topology::Topology,
};
use natter_schemas::id::{ConversationId, Partition};
use tokio::{task::LocalSet, time::timeout};

use super::{Common, close, rooms, warm_up};
use crate::{
    bench::Bench,
    capacity::Bound,
    load::real,
    outcome::Outcome,
    results::{Metric, Results},
    target_run::{ClientBehaviour, TargetRun},
    targets::{NatsServer, Profile},
    usage::usage,
};

const OURS: &str = "natter publisher";
const OURS_ALONE: &str = "natter publisher, one by one";
const THEIRS: &str = "nats bench";
/// Of a partition: no run fills it.
const LOG_BYTES: i64 = 512 * 1024 * 1024;
/// How many the first, short run of `nats bench` publishes, to know how many a long one needs.
const TRIAL: u64 = 4_000;

const RATE: Metric = Metric::higher("rate", "acked", "messages/s");
const CPU: Metric = Metric::lower("cpu", "nats-server CPU a message", "µs");

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[arg(long, value_enum, default_value = "durable")]
    pub profile: Profile,
    /// Published to side by side.
    #[arg(long, default_value_t = 16)]
    pub streams: u16,
    /// Not acked yet, over all streams.
    #[arg(long, default_value_t = 1_000)]
    pub in_flight: u32,
    /// Leave out a whole Natter.
    #[arg(long)]
    pub log_only: bool,
    /// Sockets of the natter targets, which are searched for their capacity.
    #[arg(long, default_value_t = 1_000)]
    pub sockets: u32,
    /// What they must keep: ack, delivery or last, and a p99 in milliseconds.
    #[arg(long, default_value = "ack:50")]
    pub bound: Bound,
    #[arg(long, default_value_t = 4_000.0)]
    pub search_from: f64,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("jetstream");
    let Args { common, profile, streams, sockets, .. } = args;
    let plural = if *streams == 1 { "" } else { "s" };
    let setting =
        format!("{streams} stream{plural}, {}, {} B, {}", profile.name(), common.bytes, common.cores.name());
    let label = ("jetstream", setting.as_str());
    let server = NatsServer::start(&bench.context_for("jetstream", common.cores), *profile)?;
    let (grouping, single) = bench.wait_for(prepared(&server, *streams))?;
    let log = Log { bench, args, server, grouping, single, label };
    let kinds = if args.log_only { Vec::new() } else { common.target.clone() };
    let runs = natter_runs(bench, &Common { target: kinds, ..common.clone() }, sockets / 2)?;
    for _ in 0..common.rounds {
        log.round(&mut outcome.results)?;
        for run in &runs {
            let found = rooms::capacity(bench, common, args.bound, (run, args.search_from))?;
            found.inspect(|found| outcome.results.add(label, RATE, &run.name, found.acked_per_second));
        }
    }
    close(bench, &mut outcome, runs)?;
    Ok(outcome)
}

fn natter_runs(bench: &Bench, common: &Common, rooms: u32) -> anyhow::Result<Vec<TargetRun>> {
    let target = common.target.iter().copied().filter(|kind| kind.resumes()).collect();
    let runs = Common { target, ..common.clone() }.open(
        bench,
        &super::rooms_of(2, rooms, 1),
        ClientBehaviour::default(),
    )?;
    warm_up(bench, common, &runs, f64::MAX)?;
    Ok(runs)
}

/// A nats-server by itself, and who publishes to it.
struct Log<'a> {
    bench: &'a Bench,
    args: &'a Args,
    server: NatsServer,
    grouping: Publisher,
    single: Publisher,
    label: (&'a str, &'a str),
}

impl Log<'_> {
    fn round(&self, results: &mut Results) -> anyhow::Result<()> {
        self.measured(results, OURS, || self.ours(&self.grouping))?;
        self.measured(results, OURS_ALONE, || self.ours(&self.single))?;
        let command = self.bench.options.deps.join("bin/nats");
        if command.exists() {
            self.measured(results, THEIRS, || self.theirs(&command))
        } else {
            self.bench.print_status("the nats command is not here: left out");
            Ok(())
        }
    }

    /// One run: messages acked, and how long it took.
    fn measured(
        &self,
        results: &mut Results,
        name: &str,
        publish: impl FnOnce() -> anyhow::Result<(u64, Duration)>,
    ) -> anyhow::Result<()> {
        let before = usage(&[self.server.pid()]);
        let (acked, took) = publish().with_context(|| name.to_owned())?;
        let spent = usage(&[self.server.pid()]) - before;
        results.add(self.label, RATE, name, real(acked) / took.as_secs_f64().max(0.001));
        results.add(self.label, CPU, name, spent.cpu_seconds * 1e6 / real(acked.max(1)));
        Ok(())
    }

    /// As many writers for each stream, each with a conversation of its own and one message under way, as the edge
    /// has them.
    fn ours(&self, publisher: &Publisher) -> anyhow::Result<(u64, Duration)> {
        let Common { bytes, .. } = self.args.common;
        let each = self.args.in_flight.div_ceil(u32::from(self.args.streams));
        let lasting = self.args.common.lasting();
        let acked = Rc::new(Cell::new(0_u64));
        let (writers, start) = (LocalSet::new(), Instant::now());
        for (room, partition) in rooms_in_each(self.args.streams, each) {
            let (publisher, payload, acked) = (publisher.clone(), vec![b'x'; bytes], Rc::clone(&acked));
            let subject = subject::conv(partition, room);
            writers.spawn_local(async move {
                for nth in 0_u64.. {
                    if start.elapsed() >= lasting {
                        return Ok(());
                    }
                    let id = format!("{room}-{nth}");
                    publisher.publish(subject.clone(), &id, payload.clone().into()).await?;
                    acked.set(acked.get() + 1);
                }
                anyhow::Ok(())
            });
        }
        let all = self.bench.wait_for(async { timeout(lasting * 10, writers).await });
        all.context("publishes that never end")?;
        Ok((acked.get(), start.elapsed()))
    }

    /// As many processes as streams, each with its own, together as many messages as take about as long.
    fn theirs(&self, command: &Path) -> anyhow::Result<(u64, Duration)> {
        let (trial, took) = self.published(command, TRIAL)?;
        let lasting = self.args.common.lasting().as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let enough = (real(trial) / took.as_secs_f64().max(0.001) * lasting) as u64;
        self.published(command, enough.max(TRIAL))
    }

    /// From the first message that the server stored to the last: the start of processes does not count.
    fn published(&self, command: &Path, messages: u64) -> anyhow::Result<(u64, Duration)> {
        let streams = self.args.streams;
        let each = messages.div_ceil(u64::from(streams)).max(1);
        // At least one batch a process, and as much under way in all as our own publisher has.
        let batch = (self.args.in_flight / u32::from(streams)).max(1);
        let publishers: Vec<Child> = (0..streams)
            .map(|stream| {
                let flags = [
                    format!("--server={}", self.server.url()),
                    format!("--stream={}", stream_name(stream)),
                    format!("--msgs={each}"),
                    format!("--batch={batch}"),
                    format!("--size={}B", self.args.common.bytes),
                ];
                Command::new(command)
                    .args(["bench", "js", "pub", "async", "--create", "--purge"])
                    .args(["--no-progress", "--no-context"])
                    .args(flags)
                    .arg(format!("bench{stream}"))
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
            })
            .collect::<Result<_, _>>()?;
        for mut publisher in publishers {
            if !publisher.wait()?.success() {
                bail!("nats bench failed");
            }
        }
        self.bench.wait_for(stored(&self.server, streams))
    }
}

fn stream_name(stream: u16) -> String {
    format!("BENCH_{stream}")
}

/// How many messages `nats bench` left, and how long after the first of them the last was stored.
async fn stored(server: &NatsServer, streams: u16) -> anyhow::Result<(u64, Duration)> {
    let address = Address::new(server.url());
    let js = jetstream::new(connect(&address, Purpose::Provision).await?);
    let (mut messages, mut first, mut last) = (0, None, None);
    for stream in 0..streams {
        let state = js.get_stream(stream_name(stream)).await?.cached_info().state.clone();
        messages += state.messages;
        first = first.into_iter().chain([state.first_timestamp]).min();
        last = last.max(Some(state.last_timestamp));
    }
    let (first, last) = first.zip(last).context("there is a stream")?;
    Ok((messages, Duration::try_from(last - first).context("the last is not before the first")?))
}

/// So many conversations of each partition.
fn rooms_in_each(partitions: u16, each: u32) -> impl Iterator<Item = (ConversationId, Partition)> {
    let (mut there, wanted) = (HashMap::<Partition, u32>::new(), u32::from(partitions) * each);
    let fresh = std::iter::repeat_with(ConversationId::fresh);
    let placed = fresh.map(move |room| (room, Partition::of(room, partitions)));
    placed
        .filter(move |(_, partition)| {
            let count = there.entry(*partition).or_default();
            *count += 1;
            *count <= each
        })
        .take(usize::try_from(wanted).unwrap_or(usize::MAX))
}

/// Publishers with group commit and without.
async fn prepared(server: &NatsServer, partitions: u16) -> anyhow::Result<(Publisher, Publisher)> {
    let address = Address::new(server.url());
    let js = jetstream::new(connect(&address, Purpose::Provision).await?);
    apply::apply(&js, &Topology { partitions, replicas: 1, log_max_bytes: LOG_BYTES }, &[]).await?;
    let client = || connect(&address, Purpose::Publish);
    Ok((Publisher::grouping(client().await?), Publisher::new(client().await?)))
}
