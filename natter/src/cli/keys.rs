//! What operators do with the keys that content is sealed with.

use clap::{Args, Subcommand};
use natter_schemas::id::UserId;

const AFTER: &str = "May run beside workers. What it ended in the middle of is done by running it again. Exit status: 0 when all was \
    done, 1 when keys of users are wrapped by a root that is not set; 2 for flags that do not fit. Needs NATS_URL, \
    DATABASE_URL and the roots of keys, as the workers have them.";

#[derive(Debug, Subcommand)]
#[command(after_help = AFTER)]
pub enum KeysCommand {
    /// How many users' keys each root has wrapped
    #[command(after_help = AFTER)]
    Status(StatusArgs),
    /// Wrap users' keys by the first root that is set. Messages stay as they are
    #[command(after_help = AFTER)]
    Rewrap(RewrapArgs),
    /// Make a new data key for every user who has one: later messages are sealed with it
    #[command(after_help = AFTER)]
    Rotate(RotateArgs),
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RewrapArgs {
    /// Also what the first root has wrapped itself, as when a KMS has rotated its key
    #[arg(long)]
    pub again: bool,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Of this user alone: a username or an id
    #[arg(long)]
    pub user: Option<String>,
    /// Go on behind this user, as the command printed it
    #[arg(long, value_name = "ID", conflicts_with = "user")]
    pub after: Option<UserId>,
}
