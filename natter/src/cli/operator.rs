//! What operators ask for: parked events, the log persisted again, the log and the store compared, access tokens.

use std::time::Duration;

use clap::{Args, Subcommand};
use natter_runtime::config::duration;
use natter_schemas::limits::CONTROL_AGE;

use super::target::Target;

const PARKED_EXITS: &str = "Exit status: 0 when all was done, 1 when an event stayed that should not have, or is not there; 2 for flags \
     that do not fit. Needs NATS_URL; `replay` needs DATABASE_URL too.";

#[derive(Debug, Subcommand)]
#[command(after_help = PARKED_EXITS)]
pub enum ParkedCommand {
    /// One line for each: number, time, job, partition, seq in the log, reason
    #[command(after_help = PARKED_EXITS)]
    List(ListArgs),
    /// Everything about one, as JSON: the event without what people wrote, or the payload in hexadecimal
    #[command(after_help = PARKED_EXITS)]
    Show(ShowArgs),
    /// Run the job's work for these events again; what succeeds is parked no more
    #[command(after_help = PARKED_EXITS)]
    Replay(RerunArgs),
    /// Delete parked events for good: nothing will bring them into history
    #[command(after_help = PARKED_EXITS)]
    Drop(DropArgs),
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only what this job parked
    #[arg(long, value_parser = word)]
    pub job: Option<String>,
    /// Only events of this partition of the log
    #[arg(long, value_name = "P")]
    pub partition: Option<u16>,
    /// At most so many, oldest first
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// As `list` numbers them
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub number: u64,
    /// Print what people wrote, too: messages, names, reactions
    #[arg(long)]
    pub content: bool,
}

#[derive(Debug, Args)]
pub struct RerunArgs {
    /// As `list` numbers them
    #[arg(value_name = "N", required_unless_present = "all", value_parser = clap::value_parser!(u64).range(1..))]
    pub numbers: Vec<u64>,
    /// All that are parked when the command starts, oldest first
    #[arg(long, conflicts_with = "numbers")]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct DropArgs {
    /// As `list` numbers them
    #[arg(value_name = "N", required = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub numbers: Vec<u64>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The log reaches back seven days. An event that is stored already changes nothing, not \
    even bytes of it that were garbled or lost: delete it first. In SQLite it is one row, of `messages` if it is a \
    posted message, else of `changes`; its bytes go with it. Memberships are published at the end. Exit status: 0 when every \
    event is stored or unreadable (those are listed), 1 when the store refused one or did not answer for \
    half a minute; 2 for flags that do not fit. Needs NATS_URL and DATABASE_URL."
)]
pub struct ReplayArgs {
    /// One partition of the log; without it all of them, which only `--from 1` can mean
    #[arg(long, value_name = "P")]
    pub partition: Option<u16>,
    /// First seq; 1 is wherever the log begins. Each partition counts for itself
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    pub from: u64,
    /// Last seq, included; the end of the log when the command starts
    #[arg(long, value_name = "SEQ", requires = "partition", value_parser = clap::value_parser!(u64).range(1..))]
    pub to: Option<u64>,
    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Compared are the events the log still has (seven days) and the persister has acked: digests are BLAKE3 \
    over seq, id and bytes of each, in order; and the newest event of each conversation as readers get it. At \
    most 10 differences of a partition are shown, all are counted. Memory grows with conversations, about 100 bytes \
    each, not with events. With KAFKA_BROKERS the mirror's topic is compared too; one that is behind is waited for, \
    up to 30 s a partition. Exit status: 0 when all is equal, 1 when something differs; 2 for flags that do not fit. \
    Needs NATS_URL and DATABASE_URL."
)]
pub struct VerifyArgs {
    /// One partition of the log; all of them by default
    #[arg(long, value_name = "P")]
    pub partition: Option<u16>,
    /// One JSON object: `equal`, and `partitions`
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The token is printed, and a log line says who made it for whom, and in which session; it is not in the \
    log itself. The session counts among the user's, cannot be renewed, and ends with the token, or with a log-out everywhere or \
    a new password. Exit status: 0 when it is printed, 1 when not; 2 for flags that do not fit. Needs NATS_URL, \
    DATABASE_URL, and the keys of access tokens as edges have them."
)]
pub struct TokenArgs {
    /// Username, email address or id
    pub user: String,
    /// How long it is valid: 1s to 1h
    #[arg(long = "for", value_name = "LIFE", default_value = "15m", value_parser = token_life)]
    pub lifetime: Duration,
    #[command(flatten)]
    pub target: Target,
}

/// A session that has ended is remembered no longer than that.
fn token_life(text: &str) -> Result<Duration, String> {
    duration(text)
        .filter(|life| (Duration::from_secs(1)..=CONTROL_AGE).contains(life))
        .ok_or_else(|| "must be 1s to 1h, as in 90s or 15m".to_owned())
}

/// It becomes part of a subject.
fn word(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
        Ok(text.to_owned())
    } else {
        Err("must be the name of a job, of a-z and -".to_owned())
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "The link begins with PUBLIC_URL; without one put the address of the web client before it. A link that was made \
    before for the same user works no more. Needs NATS_URL and DATABASE_URL."
)]
pub struct ResetPasswordArgs {
    /// Username, email address or id
    pub user: String,
    #[command(flatten)]
    pub target: Target,
}
