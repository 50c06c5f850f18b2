//! What operators ask about the mirror in Kafka.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum MirrorCommand {
    /// Compare the Kafka topic with the log: complete, in order, without repeats, every record as its event makes it
    Verify(MirrorVerifyArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "The whole topic is read. Records older than the log (seven days) are checked for order and holes only, and \
    what Kafka has forgotten by age is not missed. At most 10 differences of a partition are shown, all are counted. \
    Exit status: 0 when the topic is whole, 1 when something differs; 2 for flags that do not fit. Needs NATS_URL and \
    KAFKA_BROKERS; KAFKA_CONTENT as the workers have it."
)]
pub struct MirrorVerifyArgs {
    /// One partition of the log; all of them by default
    #[arg(long, value_name = "P")]
    pub partition: Option<u16>,
    /// Seconds a mirror that is behind gets to catch up with where the log was at the start
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub wait: u64,
    /// One JSON object a partition, a line each
    #[arg(long)]
    pub json: bool,
}
