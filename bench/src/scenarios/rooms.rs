//! Direct rooms: two people each, one socket a person, everybody writes, all rooms at once.

use std::collections::HashMap;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use schemas::{
    id::{ConversationId, Seq},
    rest::MessageView,
};
use tokio::time::Instant;

use crate::{
    RoomsArgs,
    check::{self, Fate, Fault, Name, Row},
    floors,
    report::Report,
    rest::{Account, Rest},
    socket::{Socket, parse_content},
    step::{self, Load, Stats},
};

/// Registrations under way: the server hashes one password a core at a time.
const REGISTERING: usize = 8;
pub const OPENING: usize = 32;
/// How the search for the capacity climbs, and how often it is narrowed down afterwards.
const CLIMB: f64 = 1.4;
const NARROWINGS: usize = 3;
/// Achieved share of the planned rate that still counts as keeping up.
const KEPT_UP: f64 = 0.98;

struct Room {
    id: ConversationId,
    /// Its head before the run.
    head: Seq,
    account: Account,
}

pub async fn run(args: &RoomsArgs, url: &str, pids: &[u32]) -> anyhow::Result<Report> {
    let rest = Rest::new(url)?;
    let fsyncs = floors::fsyncs(args).await?;
    let (rooms, mut sockets) = set_up(&rest, args.sockets / 2).await?;
    let load = Load {
        rate: args.rate,
        duration: args.duration(),
        bytes: usize::try_from(args.bytes)?,
        origin: Instant::now(),
    };
    let (steps, capacity) = if args.find_capacity {
        let (steps, capacity) = find_capacity(&mut sockets, load, args, pids).await?;
        (steps, Some(capacity))
    } else {
        (vec![step(&mut sockets, load, pids).await?], None)
    };

    let (fates, mut faults) = witnessed(&mut sockets);
    let compared = rooms.len().min(args.history_rooms.unwrap_or(usize::MAX));
    let (messages, wrong) = compare_history(&rest, rooms.iter().zip(&fates).take(compared)).await?;
    faults.extend(wrong);
    stream::iter(sockets).for_each_concurrent(OPENING, Socket::close).await;

    let report = Report {
        scenario: "rooms",
        sockets: args.sockets / 2 * 2,
        bytes: args.bytes,
        steps,
        capacity,
        history_rooms: compared,
        history_messages: messages,
        fault_count: 0,
        floors: None,
        faults: Vec::new(),
    };
    let mut report = report.with_faults(faults);
    if let Some(kept_up) = report.measured().filter(|_| args.floors) {
        report.floors = Some(floors::measure(args, kept_up, fsyncs).await?);
    }
    Ok(report)
}

/// What the sockets of all rooms, two by two, came to, and every promise that the deliveries broke.
pub fn witnessed(sockets: &mut [Socket]) -> (Vec<HashMap<Name, Fate>>, Vec<Fault>) {
    let mut faults: Vec<Fault> =
        sockets.iter_mut().flat_map(|s| std::mem::take(&mut s.witness.faults)).collect();
    let fates: Vec<_> = sockets.chunks(2).map(fates_of).collect();
    for (pair, fates) in sockets.chunks(2).zip(&fates) {
        if let [a, b] = pair {
            faults.extend(check::room(fates, [&a.witness, &b.witness]));
        }
    }
    (fates, faults)
}

fn progress(what: &'static str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>18} {wide_bar} {pos}/{len}");
    let bar = ProgressBar::new(u64::try_from(length).unwrap_or(0)).with_message(what);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn set_up(rest: &Rest, rooms: u32) -> anyhow::Result<(Vec<Room>, Vec<Socket>)> {
    let run = uuid::Uuid::now_v7().simple().to_string();
    let tag = run.get(6..20).context("a UUID has 32 digits")?;
    let bar = progress("registering", usize::try_from(rooms)? * 2);
    let accounts: Vec<Account> = stream::iter(0..rooms * 2)
        .map(|i| rest.register(format!("b{tag}-{i}")))
        .buffered(REGISTERING)
        .inspect(|_| bar.inc(1))
        .try_collect()
        .await?;
    bar.finish_and_clear();

    let pairs = accounts.chunks(2).filter_map(|pair| <&[Account; 2]>::try_from(pair).ok());
    let rooms: Vec<Room> = stream::iter(pairs)
        .map(async |[a, b]| {
            let room = rest.open_direct(&a.token, b.user).await?;
            anyhow::Ok(Room { id: room.id, head: room.head_seq, account: a.clone() })
        })
        .buffered(OPENING)
        .try_collect()
        .await?;

    let bar = progress("connecting", accounts.len());
    let host = rest.host()?;
    let places = rooms.iter().flat_map(|room| [(room.id, room.head); 2]);
    let sockets = stream::iter((0..).zip(accounts.iter().zip(places)))
        .map(|(index, (account, place))| Socket::open(host, &account.token, index, place))
        .buffered(OPENING)
        .inspect(|_| bar.inc(1))
        .try_collect()
        .await?;
    bar.finish_and_clear();
    Ok((rooms, sockets))
}

async fn step(sockets: &mut Vec<Socket>, load: Load, pids: &[u32]) -> anyhow::Result<Stats> {
    let (back, stats) = step::run(std::mem::take(sockets), load, pids).await?;
    *sockets = back;
    Ok(stats)
}

/// Climbs until a step fails, then halves the distance between the last good and the first bad rate.
async fn find_capacity(
    sockets: &mut Vec<Socket>,
    load: Load,
    args: &RoomsArgs,
    pids: &[u32],
) -> anyhow::Result<(Vec<Stats>, f64)> {
    let (mut steps, mut good, mut bad) = (Vec::new(), 0.0_f64, None::<f64>);
    let mut narrowed = 0;
    loop {
        let rate = match bad {
            None if good == 0.0 => args.rate,
            None => good * CLIMB,
            Some(bad) => f64::midpoint(good, bad),
        };
        let stats = step(sockets, Load { rate, ..load }, pids).await?;
        let passed = keeps_up(&stats, args);
        steps.push(stats);
        if sockets.iter().any(|socket| !socket.witness.faults.is_empty()) {
            // A void run is over: what it would measure now is worth nothing.
            return Ok((steps, good));
        }
        if passed {
            good = rate;
        } else {
            bad = Some(rate);
        }
        if bad.is_some() {
            narrowed += 1;
        }
        if narrowed > NARROWINGS || (good == 0.0 && narrowed > 0) {
            return Ok((steps, good));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a bound in milliseconds is far below 2^52")]
fn keeps_up(stats: &Stats, args: &RoomsArgs) -> bool {
    let planned = stats.planned_per_second * args.duration().as_secs_f64();
    stats.refusals.is_empty()
        && stats.acked as f64 >= KEPT_UP * planned
        && stats.acked_per_second >= KEPT_UP * stats.planned_per_second
        && stats.delivery_ms.p99 <= args.p99_ms as f64
}

fn fates_of(pair: &[Socket]) -> HashMap<Name, Fate> {
    pair.iter()
        .flat_map(|socket| {
            let name = |number| Name { socket: socket.index, number };
            (0..).map(name).zip(socket.fates.iter().copied())
        })
        .collect()
}

async fn compare_history<'a>(
    rest: &Rest,
    rooms: impl Iterator<Item = (&'a Room, &'a HashMap<Name, Fate>)>,
) -> anyhow::Result<(usize, Vec<Fault>)> {
    let pages = stream::iter(rooms).map(async |(room, fates)| {
        let messages = rest.history(&room.account.token, room.id, room.head).await?;
        let rows: Vec<Row> = messages.iter().map(row).collect();
        anyhow::Ok((rows.len(), check::history(fates, &rows)))
    });
    pages
        .buffer_unordered(OPENING)
        .try_fold((0, Vec::new()), async |(count, mut faults), (more, wrong)| {
            faults.extend(wrong);
            Ok((count + more, faults))
        })
        .await
}

fn row(message: &MessageView) -> Row {
    let name = message.content.as_deref().and_then(parse_content).map(|(name, _)| name);
    Row { seq: message.seq, id: message.id, name }
}
