//! How far Kafka is behind the log, also where no worker runs the mirror.

use std::time::Duration;

use metrics::gauge;
use natter_nats::log::LogReader;
use natter_schemas::id::Partition;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Asking a consumer for its state costs the server: once in a while does for a graph.
const EVERY: Duration = Duration::from_secs(10);

pub async fn watch(log: LogReader, partitions: u16, stop: CancellationToken) {
    let mut turn = interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        for p in Partition::all(partitions) {
            match log.mirror_lag(p).await {
                Ok(lag) => {
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "a graph has no use for more than 53 bits"
                    )]
                    gauge!("natter_mirror_lag", "partition" => p.to_string()).set(lag as f64);
                }
                Err(error) => debug!(partition = %p, %error, "the mirror's lag is not known"),
            }
        }
    }
}
