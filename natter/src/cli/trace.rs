//! One message, followed.

use clap::Args;
use natter_schemas::id::ConversationId;

use super::target::Target;

#[derive(Debug, Args)]
#[command(
    after_help = "Every edge and worker is asked what it remembers of the message, and has 100 ms to answer: a node remembers its \
    newest 16,384 steps. Log, store and the mirror's position are asked too; what has left the nodes' memory is found there \
    with --conversation. Times are of each node's own clock; durations are of one node. Content is never shown. Exit status: \
    0 when something knows the message, 1 when nothing does; 2 for flags that do not fit. Needs NATS_URL and DATABASE_URL, with \
    the rights of a worker, and KAFKA_BROKERS as the workers have it; or --data-dir."
)]
pub struct TraceArgs {
    /// The message's id, or a link to it as the web client copies it; with --user, the id its sender gave it (`clientId`)
    #[arg(value_name = "MESSAGE|LINK|CLIENT-ID")]
    pub id: String,
    /// Who sent it: username, email address or id
    #[arg(long, requires = "conversation")]
    pub user: Option<String>,
    /// The device it was sent from; of a message sent over HTTP it is empty
    #[arg(long, requires = "user", default_value = "")]
    pub device: String,
    /// The conversation it is in
    #[arg(long, value_name = "ID", value_parser = conversation)]
    pub conversation: Option<ConversationId>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub target: Target,
}

fn conversation(text: &str) -> Result<ConversationId, String> {
    text.to_ascii_lowercase().parse().map_err(|error| format!("{error}"))
}
