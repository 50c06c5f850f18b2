//! The log alone: what Natter's own publisher gets out of JetStream without a chat around it, and what the NATS
//! project's own bench does. The only place where the bench knows Natter from inside.

use std::{
    cell::Cell,
    path::Path,
    process::{Child, Command, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nats::{
    apply,
    async_nats::jetstream,
    connect::{Address, Purpose, connect},
    publisher::Publisher,
    subject,
    topology::Topology,
};
use schemas::id::{ConversationId, Partition};
use tokio::{task::LocalSet, time::timeout};

use super::{Common, close, rooms};
use crate::{
    bench::Bench,
    capacity::Bound,
    load::real,
    outcome::Outcome,
    proc::usage,
    seed::Shape,
    sheet::{Metric, Sheet},
    side::{Manners, Side},
    targets::{NatsServer, Profile},
};

const OURS: &str = "natter publisher";
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
    /// Sockets of the natter targets, which are searched for their capacity.
    #[arg(long, default_value_t = 1_000)]
    pub sockets: u32,
    #[arg(long, default_value_t = 4_000.0)]
    pub search_from: f64,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("jetstream");
    let Args { common, profile, streams, sockets, .. } = args;
    let setting =
        format!("{streams} streams, {}, {} B, {}", profile.name(), common.bytes, common.cores.name());
    let label = ("jetstream", setting.as_str());
    let server = NatsServer::start(&bench.ground_for("jetstream", common.cores), *profile)?;
    let publisher = bench.wait_for(prepared(&server, *streams))?;
    let sides = natter_sides(bench, common, &super::rooms_of(2, sockets / 2, 1))?;
    for _ in 0..common.rounds {
        measured(&mut outcome.sheet, label, (OURS, &server), || ours(bench, args, &publisher))?;
        let command = bench.options.deps.join("bin/nats");
        if command.exists() {
            measured(&mut outcome.sheet, label, (THEIRS, &server), || theirs(args, &server, &command))?;
        } else {
            bench.say("the nats command is not here: left out");
        }
        for side in &sides {
            let found = rooms::capacity(bench, common, Bound::Ack(1_000.0), (side, args.search_from))?;
            outcome.sheet.add(label, RATE, &side.name, found.acked_per_second);
        }
    }
    close(bench, &mut outcome, sides)?;
    Ok(outcome)
}

fn natter_sides(bench: &Bench, common: &Common, shape: &Shape) -> anyhow::Result<Vec<Side>> {
    let natter = Common {
        target: common.target.iter().copied().filter(|kind| kind.resumes()).collect(),
        ..common.clone()
    };
    natter.open(bench, shape, Manners::default())
}

/// One run: messages acked, and how long it took.
fn measured(
    sheet: &mut Sheet,
    label: (&str, &str),
    (name, server): (&str, &NatsServer),
    publish: impl FnOnce() -> anyhow::Result<(u64, Duration)>,
) -> anyhow::Result<()> {
    let before = usage(&[server.pid()]);
    let (acked, took) = publish().with_context(|| name.to_owned())?;
    let spent = usage(&[server.pid()]) - before;
    sheet.add(label, RATE, name, real(acked) / took.as_secs_f64());
    sheet.add(label, CPU, name, spent.cpu_seconds * 1e6 / real(acked.max(1)));
    Ok(())
}

async fn prepared(server: &NatsServer, partitions: u16) -> anyhow::Result<Publisher> {
    let address = Address { url: server.url(), creds: None };
    let js = jetstream::new(connect(&address, Purpose::Provision).await?);
    apply::apply(&js, &Topology { partitions, replicas: 1, log_max_bytes: LOG_BYTES }, &[]).await?;
    Ok(Publisher::new(connect(&address, Purpose::Publish).await?))
}

/// So many writers, each with a conversation of its own and one message under way, as the edge has them.
fn ours(bench: &Bench, args: &Args, publisher: &Publisher) -> anyhow::Result<(u64, Duration)> {
    let (lasting, payload) = (args.common.lasting(), vec![b'x'; args.common.bytes]);
    let acked = Rc::new(Cell::new(0_u64));
    let (writers, start) = (LocalSet::new(), Instant::now());
    for _ in 0..args.in_flight {
        let (publisher, payload, acked) = (publisher.clone(), payload.clone(), Rc::clone(&acked));
        let room = ConversationId::fresh();
        let subject = subject::conv(Partition::of(room, args.streams), room);
        writers.spawn_local(async move {
            for nth in 0_u64.. {
                if start.elapsed() >= lasting {
                    return Ok(());
                }
                publisher.publish(subject.clone(), &format!("{room}-{nth}"), payload.clone().into()).await?;
                acked.set(acked.get() + 1);
            }
            anyhow::Ok(())
        });
    }
    bench.wait_for(async { timeout(lasting * 10, writers).await }).context("publishes that never end")?;
    Ok((acked.get(), start.elapsed()))
}

/// As many processes as streams, each with its own, together as many messages as take about as long.
fn theirs(args: &Args, server: &NatsServer, command: &Path) -> anyhow::Result<(u64, Duration)> {
    let (trial, took) = published(args, server, command, TRIAL)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let enough = (real(trial) / took.as_secs_f64() * args.common.lasting().as_secs_f64()) as u64;
    published(args, server, command, enough.max(TRIAL))
}

fn published(
    args: &Args,
    server: &NatsServer,
    command: &Path,
    messages: u64,
) -> anyhow::Result<(u64, Duration)> {
    let each = messages.div_ceil(u64::from(args.streams)).max(1);
    // At least one batch a process, and as much under way in all as our own publisher has.
    let batch = (args.in_flight / u32::from(args.streams)).max(1);
    let start = Instant::now();
    let publishers: Vec<Child> = (0..args.streams)
        .map(|stream| {
            let flags = [
                format!("--server={}", server.url()),
                format!("--stream=BENCH_{stream}"),
                format!("--msgs={each}"),
                format!("--batch={batch}"),
                format!("--size={}B", args.common.bytes),
            ];
            Command::new(command)
                .args(["bench", "js", "pub", "async", "--create", "--purge", "--no-progress", "--no-context"])
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
    Ok((each * u64::from(args.streams), start.elapsed()))
}
