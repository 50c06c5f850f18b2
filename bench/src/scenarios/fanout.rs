//! Rooms of many: what a delivery costs, and how soon the last one has it. Senders are members and are shown
//! their own messages: a room of F is F deliveries a message.

use super::{Common, rooms};
use crate::{bench::Bench, capacity::Bound, outcome::Outcome};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// Sockets in a room.
    #[arg(long, default_value_t = 100)]
    pub members: u32,
    #[arg(long, default_value_t = 10)]
    pub rooms: u32,
    /// Sockets of a person.
    #[arg(long, default_value_t = 1)]
    pub devices: u32,
    /// Messages a second, of the step whose CPU is compared; 0: none.
    #[arg(long, default_value_t = 500.0)]
    pub rate: f64,
    /// Where the search for the capacity begins, one for each target; without it there is none.
    #[arg(long, value_delimiter = ',')]
    pub search_from: Vec<f64>,
    /// What it must keep: ack, delivery or last, and a p99 in milliseconds.
    #[arg(long, default_value = "last:100")]
    pub bound: Bound,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let Args { common, members, rooms, devices, rate, search_from, bound } = args;
    let setting = rooms::Setting {
        scenario: "fanout",
        members: *members,
        rooms: *rooms,
        devices: *devices,
        rate: *rate,
        search: search_from,
        bound: *bound,
        label: format!("{rooms} rooms of {members}, {} B, {}", common.bytes, common.cores.name()),
    };
    rooms::run(bench, common, &setting)
}
