//! Direct rooms, all at once: messages acked, delivered and kept.

use super::{Common, rooms};
use crate::{bench::Bench, capacity::Bound, outcome::Outcome};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// One a person, two a room.
    #[arg(long, default_value_t = 1_000)]
    pub sockets: u32,
    /// Of the step whose CPU is compared; 0: none.
    #[arg(long, default_value_t = 1_000.0)]
    pub rate: f64,
    /// Where the search for the capacity begins; 0: no search.
    #[arg(long, default_value_t = 4_000.0)]
    pub search_from: f64,
    /// What it must keep: ack, delivery or last, and a p99 in milliseconds.
    #[arg(long, default_value = "ack:50")]
    pub bound: Bound,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let Args { common, sockets, rate, search_from, bound } = args;
    let setting = rooms::Setting {
        scenario: "ack",
        members: 2,
        rooms: sockets / 2,
        rate: *rate,
        search: (*search_from > 0.0).then_some(*search_from),
        bound: *bound,
        setting: format!("{} B, {}", common.bytes, common.cores.name()),
    };
    rooms::run(bench, common, &setting)
}
