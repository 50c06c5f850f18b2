//! All nodes on one screen.

use std::time::Duration;

use clap::Args;
use natter_runtime::config::duration;

use super::target::Target;

/// As many nodes as one screen has.
pub const MOST_NODES: usize = 256;

#[derive(Debug, Args)]
#[command(
    after_help = "Every edge and worker is asked over NATS for what its admin port says, and has half a second to answer. Rates and \
    percentiles are of the last ten looks; totals are since a node's start. On a terminal: q quits, p pauses, s sorts by the next \
    column, arrows and page keys scroll. Exit status of --once: 0 when a node answered, 1 when none did; 2 for flags \
    that do not fit. Needs NATS_URL with the rights of a worker, or --data-dir; with --addr nothing."
)]
pub struct TopArgs {
    /// Between two looks: 1s to 60s
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = every)]
    pub every: Duration,
    /// Look twice, print plain text, and end
    #[arg(long)]
    pub once: bool,
    /// JSON: an object on a line for each look, or one with --once
    #[arg(long)]
    pub json: bool,
    /// Ask this admin port over HTTP, and not NATS: of a `natter dev`, or while NATS is away. May be repeated
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    pub addr: Vec<String>,
    #[command(flatten)]
    pub target: Target,
}

fn every(text: &str) -> Result<Duration, String> {
    duration(text)
        .filter(|every| (Duration::from_secs(1)..=Duration::from_mins(1)).contains(every))
        .ok_or_else(|| "must be 1s to 60s".to_owned())
}
