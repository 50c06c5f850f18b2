//! The command line.

pub mod audit; // the audit log
pub mod backup; // a deployment saved and put back
pub mod keys; // the keys that content is sealed with
pub mod erase; // users' data destroyed
pub mod mirror; // the mirror in Kafka
pub mod operator; // parked events, replay, verify, tokens
pub mod target; // which deployment a command works on
pub mod trace; // one message, followed
pub mod top; // all nodes on one screen

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use natter_workers::Job;

use audit::AuditCommand;
use backup::{BackupArgs, RestoreArgs};
use erase::{EraseCommand, ExportCommand};
use keys::KeysCommand;
use mirror::MirrorCommand;
use operator::{ParkedCommand, ReplayArgs, ResetPasswordArgs, TokenArgs, VerifyArgs};
use target::On;
use top::TopArgs;
use trace::TraceArgs;

/// A self-hosted chat back end: sockets at the edge, one durable ordered log per conversation in NATS JetStream.
///
/// Settings come from the environment (see docs/operations.md); flags win over it.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process: nats-server as a child, SQLite, memory. Data stays in the data folder.
    Dev(DevArgs),
    /// Serve sockets and HTTP. Needs `NATS_URL`, `REDIS_URL` and `JWT_SECRET`, and workers somewhere.
    Edge(EdgeArgs),
    /// Run jobs: persist the log, mirror it to Kafka, answer edges, sweep presence. Needs `NATS_URL`, `REDIS_URL` and
    /// `DATABASE_URL`. Any number may run.
    Worker(WorkerArgs),
    /// Make NATS (streams, consumers, keys) and the store (schema) what this version needs. Prints what it
    /// changed; the second time nothing.
    Migrate(MigrateArgs),
    /// Say what is missing on this machine and how to mend it. Exits 1 when something is.
    Doctor(DoctorArgs),
    /// Ask a server whether it is well, for container health checks. Exits 1 unless it answers 200 within 5 s.
    Health(HealthArgs),
    /// Look at, run again or drop events that no job could use. They wait in stream `PARKED` with the reason.
    Parked(On<ParkedCommand>),
    /// Persist the log's events again, for a store that was lost or restored from a backup. May run beside workers.
    Replay(ReplayArgs),
    /// Compare the log with the store: whether everything the persister acked is there as it was logged.
    Verify(VerifyArgs),
    /// Follow one message from its sender to log, store, Kafka and readers, by what every node remembers of it.
    Trace(TraceArgs),
    /// Show every edge and worker on one screen: sockets, rates, delays, what is behind, what is down.
    Top(TopArgs),
    /// Look at the keys that content is sealed with, wrap them by another root, let new ones follow, or remove old ones.
    Keys(On<KeysCommand>),
    /// Check the audit log (`AUDIT_LOG`).
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Write everything that is kept about a user, as lines of JSON.
    Export(On<ExportCommand>),
    /// Erase a user and everything that is kept about one, and prove it with a signed receipt.
    Erase(On<EraseCommand>),
    /// Make an access token of a user, for scripts and support. The user sees its session, and can end it.
    Token(TokenArgs),
    /// Print a link by which a user sets a new password, once, within 30 minutes: for users who get no mail.
    ResetPassword(ResetPasswordArgs),
    /// Look at what the workers mirror to Kafka.
    Mirror(On<MirrorCommand>),
    /// Save the store and the log to a folder, while they are in use.
    Backup(BackupArgs),
    /// Make a deployment from a backup, or only check the backup.
    Restore(RestoreArgs),
    /// Open a socket, print every frame, send every line of standard input.
    Connect(ConnectArgs),
    /// Make users, conversations and messages of any number through the public API of a running server. The same
    /// command again adds what is missing, and nothing twice.
    Seed(SeedArgs),
    /// Print the completion script of a shell.
    Completions { shell: Shell },
}

#[derive(Debug, Args)]
pub struct DevArgs {
    /// Port of HTTP and WebSocket (PORT; 0: any free one)
    #[arg(long)]
    pub port: Option<u16>,
    /// Port of Prometheus metrics (`ADMIN_PORT`; 0: any free one)
    #[arg(long)]
    pub admin_port: Option<u16>,
    /// Where messages, accounts and secrets stay
    #[arg(long, default_value = ".natter")]
    pub data_dir: PathBuf,
    /// Make users alice and bob, a bot that answers, and rooms for them
    #[arg(long)]
    pub demo: bool,
    /// Begin a new log where the old one's epoch and event key are gone, or its last events; without it, refuse to start
    #[arg(long)]
    pub accept_new_log: bool,
}

#[derive(Debug, Args)]
pub struct EdgeArgs {
    /// Port of HTTP and WebSocket (PORT; 0: any free one)
    #[arg(long)]
    pub port: Option<u16>,
    /// Port of Prometheus metrics (`ADMIN_PORT`; 0: any free one)
    #[arg(long)]
    pub admin_port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// The jobs to run, comma-separated; all of them by default
    #[arg(long, value_delimiter = ',')]
    pub jobs: Vec<Job>,
    /// Port of Prometheus metrics (`ADMIN_PORT`; 0: any free one)
    #[arg(long)]
    pub admin_port: Option<u16>,
}

#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Only look: print the schema's migrations and what differs in NATS. Exits 1 when there is something to do
    #[arg(long)]
    pub status: bool,
    /// Begin a new log where the old one's epoch and event key are gone, or its last events; without it, refuse
    #[arg(long)]
    pub accept_new_log: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The data folder `natter dev` would use
    #[arg(long, default_value = ".natter")]
    pub data_dir: PathBuf,
    /// Try NATS, Redis and the store that the settings name, too, in place of what `natter dev` would use
    #[arg(long, conflicts_with = "data_dir")]
    pub connect: bool,
}

#[derive(Debug, Args)]
pub struct HealthArgs {
    /// What is asked: an edge's /health/ready, or a worker's on its admin port
    #[arg(default_value = "http://127.0.0.1:3000/health/ready")]
    pub url: String,
}

#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// Address of the server
    #[arg(default_value = "http://127.0.0.1:3000")]
    pub url: String,
    /// Who: `username:password`
    #[arg(long, value_name = "USER:PASSWORD")]
    pub login: String,
    /// Lines that are not JSON go to this user's direct conversation, or to the conversation with this id
    #[arg(long, value_name = "USER|CONVERSATION")]
    pub to: Option<String>,
}

#[derive(Debug, Args)]
pub struct SeedArgs {
    /// People, named TAG-0001 and so on
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(2..=100_000))]
    pub users: u64,
    /// Conversations: six in ten direct, groups of 3 to 20
    #[arg(long, default_value_t = 100)]
    pub conversations: usize,
    /// Messages in all of them; a few conversations have most
    #[arg(long, default_value_t = 2_000)]
    pub messages: usize,
    /// Address of the server
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    pub url: String,
    /// Begins every username: 1 to 24 of a-z 0-9 _ . -
    #[arg(long, default_value = "seed", value_parser = tag)]
    pub tag: String,
    /// Seed of the random choices: the same number, the same data
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

/// What begins usernames is part of them.
fn tag(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    if (1..=24).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 24 of a-z 0-9 _ . -".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
