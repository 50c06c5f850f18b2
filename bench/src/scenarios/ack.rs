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
    /// Where the search for the capacity begins, one for each target; without it there is none.
    #[arg(long, value_delimiter = ',')]
    pub search_from: Vec<f64>,
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
        devices: 1,
        rate: *rate,
        search: search_from,
        bound: *bound,
        label: format!("{} B, {}", common.bytes, common.cores.name()),
    };
    rooms::run(bench, common, &setting)
}
