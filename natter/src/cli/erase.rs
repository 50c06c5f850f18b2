//! What operators do when a user wants to be erased.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use natter_schemas::id::UserId;

const AFTER: &str = "Exit status: 0 when all was done, 1 when not; 2 for flags that do not fit. Needs NATS_URL, DATABASE_URL, and \
    for receipts the keys of access tokens, as edges have them.";

#[derive(Debug, Subcommand)]
#[command(after_help = AFTER)]
pub enum EraseCommand {
    /// Close the account at once, wait until workers have erased everything, and print the receipt
    #[command(after_help = AFTER)]
    User(UserArgs),
    /// Print the receipt of a user who was erased
    #[command(after_help = AFTER)]
    Receipt(ReceiptArgs),
    /// Say whether a receipt was signed by one of the keys that are set, and print what was signed
    #[command(after_help = AFTER)]
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub struct UserArgs {
    /// Username, email address or id. One whose account is closed already: the id
    pub user: String,
    /// Close the account only: workers erase the rest in any case
    #[arg(long)]
    pub no_wait: bool,
}

#[derive(Debug, Args)]
pub struct ReceiptArgs {
    /// The id, which is all that is left
    pub user: UserId,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The receipt as it was printed
    pub file: PathBuf,
}

const EXPORT_AFTER: &str = "Each line is an object with a `type`, described by docs/export.schema.json; the last is `end`, without \
    which the export is not whole. Texts that are sealed are opened, by the workers' keys. Exit status: 0 when it is whole, 1 when \
    not; 2 for flags that do not fit. Needs NATS_URL and DATABASE_URL.";

#[derive(Debug, Subcommand)]
#[command(after_help = EXPORT_AFTER)]
pub enum ExportCommand {
    /// Profile, sessions, blocks, conversations, and what the user did in them
    #[command(after_help = EXPORT_AFTER)]
    User(ExportArgs),
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Username, email address or id
    pub user: String,
}
