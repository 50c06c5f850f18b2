//! Realistic use: rooms of all sizes, a few of them busy and most of them quiet; users are seen typing before they
//! write, some mark what they read, some come and go, some page through history.

use std::{sync::Arc, time::Duration};

use super::{Common, close, rounds, warm_up};
use crate::{
    bench::Bench,
    load::{Plan, RequestKind, Sender, Stats},
    outcome::Outcome,
    results::{Metric, Results},
    schedule::mix,
    seed::Shape,
    target_run::{ClientBehaviour, TargetRun},
};

/// Who writes where is drawn so often, then again from the front.
const TURNS: u64 = 1 << 16;
/// Pages requested once nothing is written any more, for comparison.
const ALONE: Duration = Duration::from_secs(10);

const ACK: Metric = Metric::lower("ack-p99", "ack p99", "ms");
const P50: Metric = Metric::lower("p50", "to a receiver, p50", "ms");
const P95: Metric = Metric::lower("p95", "to a receiver, p95", "ms");
const P99: Metric = Metric::lower("p99", "to a receiver, p99", "ms");
const LAST: Metric = Metric::lower("last-p99", "to the last receiver, p99", "ms");
const ERRORS: Metric = Metric::lower("errors", "errors", "");
const CPU: Metric = Metric::lower("cpu", "server CPU a message, all it brings included", "µs");
const RSS: Metric = Metric::lower("rss", "memory of the server", "MiB");
const PAGE: Metric = Metric::lower("page-p99", "page of history under the load, p99", "ms");
const PAGE_ALONE: Metric = Metric::lower("page-alone-p99", "page of history alone, p99", "ms");
const PAGE_RATIO: Metric = Metric::lower("page-ratio", "page of history p99, under the load to alone", "");

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub load: MixedLoad,
    /// Messages a second.
    #[arg(long, default_value_t = 1_000.0)]
    pub rate: f64,
    /// Pages of history a second.
    #[arg(long, default_value_t = 40.0)]
    pub pages: f64,
}

/// Who is there.
#[derive(Debug, Clone, clap::Args)]
pub struct MixedLoad {
    #[arg(long, default_value_t = 5_000)]
    pub people: u32,
    #[arg(long, default_value_t = 10_000)]
    pub sockets: u32,
    /// Members of the largest room; the nth has the nth root less.
    #[arg(long, default_value_t = 10)]
    pub largest: u32,
    /// The share of deliveries that a read mark follows.
    #[arg(long, default_value_t = 0.1)]
    pub read_share: f64,
    /// People who only come and go, one in each of the first rooms.
    #[arg(long, default_value_t = 100)]
    pub visitors: u32,
    /// Comings and goings a second, all visitors together.
    #[arg(long, default_value_t = 20.0)]
    pub visits: f64,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("mixed");
    let Args { common, load, rate, pages } = args;
    let setting = format!("{} sockets, {rate:.0} messages/s, {}", load.sockets, common.cores.name());
    let behaviour = ClientBehaviour { join: true, ..ClientBehaviour::default() };
    let runs = common.open(bench, &load.shape(), behaviour)?;
    warm_up(bench, common, &runs, *rate)?;
    rounds(&runs, common.rounds, |run| {
        let plan = Plan { pages: *pages, ..load.plan(common, run, *rate) };
        let stats = run.step(bench, "mixed", &plan)?;
        // Afterwards, when the pages are as full as those under the load.
        let alone = Plan { rate: 0.0, visits: 0.0, lasting: ALONE, ..plan };
        let alone = run.step(bench, "history alone", &alone)?;
        figures(&mut outcome.results, &setting, run, (&alone, &stats));
        Ok(())
    })?;
    close(bench, &mut outcome, runs)?;
    Ok(outcome)
}

fn figures(results: &mut Results, setting: &str, run: &TargetRun, (alone, stats): (&Stats, &Stats)) {
    let mut add = |metric, value| results.add(("mixed", setting), metric, &run.name, value);
    add(P50, stats.delivery_ms.p50);
    add(P95, stats.delivery_ms.p95);
    add(P99, stats.delivery_ms.p99);
    add(LAST, stats.last_ms.p99);
    add(ACK, stats.ack_ms.p99);
    add(ERRORS, stats.errors());
    stats.cpu_us_per_message().inspect(|cpu| add(CPU, *cpu));
    add(RSS, stats.server.rss_mib);
    if let (Some(alone), Some(under)) = (page_p99(alone), page_p99(stats)) {
        add(PAGE, under);
        add(PAGE_ALONE, alone);
        add(PAGE_RATIO, under / alone.max(0.001));
    }
}

fn page_p99(stats: &Stats) -> Option<f64> {
    stats.requests_ms.get(&RequestKind::Page).map(|latency| latency.p99)
}

impl MixedLoad {
    /// Half as many rooms as accounts; each account is in at least one, neighbours in the same.
    pub fn shape(&self) -> Shape {
        let (people, mut next) = (self.people.max(4), 0);
        let visitors = self.visitors.min(people / 2);
        let rooms = (1..=people / 2).map(|nth| {
            let size = f64::from(self.largest) / f64::from(nth).sqrt();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small positive number"
            )]
            let size = (size.round() as u32).clamp(2, people);
            let first = next;
            next += size;
            let visitor = (nth <= visitors).then_some(people + nth - 1);
            (0..size).map(|i| (first + i) % people).chain(visitor).collect()
        });
        // Never `direct`: two rooms of the same two users would be one.
        Shape { people, sockets: self.sockets, visitors, rooms: rooms.collect(), direct: false }
    }

    pub fn plan(&self, common: &Common, run: &TargetRun, rate: f64) -> Plan {
        let senders = senders(&run.dataset.shape);
        Plan {
            typing: true,
            read_share: self.read_share,
            visits: self.visits,
            ..Plan::new(rate, common.lasting(), common.bytes, senders)
        }
    }
}

/// The nth room is written into by one nth as many; any of its members writes, from any of their sockets.
fn senders(shape: &Shape) -> Arc<[Sender]> {
    let mut sum = 0.0;
    let upto: Vec<f64> = (1..=u32::try_from(shape.rooms.len()).unwrap_or(u32::MAX))
        .map(|nth| {
            sum += 1.0 / f64::from(nth);
            sum
        })
        .collect();
    let draw = |nth: u64| {
        let at = f64::from(u32::try_from(mix(nth) >> 32).unwrap_or(0)) / f64::from(u32::MAX) * sum;
        let room = upto.partition_point(|upto| *upto < at).min(shape.rooms.len() - 1);
        // Visitors, the last in a room, do not write.
        let members = &shape.rooms[room];
        let members = &members[..members.iter().filter(|who| **who < shape.people).count()];
        let member = members[usize::try_from(mix(nth ^ 0x5EED)).unwrap_or(0) % members.len()];
        let devices = (shape.sockets / shape.people).max(1);
        let device = u32::try_from(mix(nth ^ 0xDE) % u64::from(devices)).unwrap_or(0);
        Sender { socket: member + device * shape.people, room: u32::try_from(room).unwrap_or(0) }
    };
    (0..TURNS).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> MixedLoad {
        MixedLoad { people: 100, sockets: 300, largest: 30, read_share: 0.1, visitors: 5, visits: 1.0 }
    }

    #[test]
    fn every_account_is_in_a_room_and_in_none_twice() {
        let Shape { rooms, people, visitors, .. } = load().shape();
        assert_eq!((rooms.len(), rooms[0].len(), rooms[49].len()), (50, 31, 4));
        let mut there = std::collections::HashSet::new();
        for mut members in rooms {
            there.extend(members.iter().copied());
            let size = members.len();
            members.sort_unstable();
            members.dedup();
            assert_eq!(members.len(), size);
        }
        assert_eq!(there.len(), (people + visitors) as usize);
    }

    #[test]
    fn the_first_room_is_the_busiest_and_writers_are_members() {
        let shape = load().shape();
        let senders = senders(&shape);
        let times = |room| senders.iter().filter(|turn| turn.room == room).count();
        assert!(times(0) > 15 * times(30) && times(30) > 0, "{} and {}", times(0), times(30));
        assert!(senders.iter().all(|turn| {
            shape.rooms[turn.room as usize].contains(&(turn.socket % shape.people))
                && turn.socket < shape.sockets
        }));
    }
}
