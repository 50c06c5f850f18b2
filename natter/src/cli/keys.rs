//! What operators do with the keys that content is sealed with.

use std::{convert::Infallible, num::NonZeroU32, str::FromStr};

use clap::{Args, Subcommand};
use natter_schemas::id::{ConversationId, UserId};

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
    /// Seal stored addresses, names and texts with their users' newest keys: those in clear, and those of earlier keys
    #[command(after_help = AFTER)]
    Reseal(ResealArgs),
    /// Remove old data keys that no text needs, or say whether a root is still needed
    #[command(after_help = AFTER)]
    Retire(RetireArgs),
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

#[derive(Debug, Args)]
pub struct ResealArgs {
    /// Users or texts a second at most, those that stay as they are included
    #[arg(long, value_name = "TEXTS", default_value = "2000")]
    pub rate: NonZeroU32,
    /// Write the whole SQLite file once more at the end: no page of it has a text that was in clear. Others wait to write
    /// meanwhile, some seconds for each GB
    #[arg(long)]
    pub rewrite: bool,
    /// Go on behind this user, as the command printed it
    #[arg(long, value_name = "ID")]
    pub after_user: Option<UserId>,
    /// Go on behind this conversation, as the command printed it: users are done
    #[arg(long, value_name = "ID", conflicts_with = "after_user")]
    pub after: Option<ConversationId>,
}

#[derive(Debug, Args)]
pub struct RetireArgs {
    /// An epoch: data keys up to it that are not their user's newest. Or the name of a root, as `status` prints it
    #[arg(value_name = "EPOCH|ROOT")]
    pub key: Retired,
    /// Only count what needs them
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Clone)]
pub enum Retired {
    Epoch(u32),
    Root(String),
}

impl FromStr for Retired {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::Root(text.to_owned()), Self::Epoch))
    }
}
