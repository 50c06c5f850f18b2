//! How far a log reached when something was last taken from it. A server that comes back with less gives those seqs out
//! again, to events that must not take the place of others in store and Kafka.

use std::sync::atomic::Ordering;

use natter_nats::async_nats::jetstream::Context;
use natter_schemas::id::Seq;

#[derive(Debug, thiserror::Error)]
pub enum NotTheSame {
    #[error("the log ends at seq {last}, and events up to {reached} were taken from it: it was rolled back")]
    RolledBack { last: Seq, reached: Seq },
    #[error("it is not known where the log ends: {0}")]
    Unknown(String),
}

#[derive(Default)]
pub struct LogEnd {
    reached: Seq,
    /// On which connection, counted from 1, the server was seen to have all that.
    seen_on: u64,
}

impl LogEnd {
    pub fn reach(&mut self, seq: Seq) {
        self.reached = self.reached.max(seq);
    }

    /// The server is asked once for each connection: another one answers there, or the same one after a restart.
    pub async fn check(&mut self, js: &Context, stream: &str) -> Result<(), NotTheSame> {
        let connection = js.client().statistics().connects.load(Ordering::Relaxed);
        if self.reached == 0 || self.seen_on == connection {
            return Ok(());
        }
        let found = js.get_stream(stream).await.map_err(|error| NotTheSame::Unknown(error.to_string()))?;
        let last = found.cached_info().state.last_sequence;
        if last < self.reached {
            return Err(NotTheSame::RolledBack { last, reached: self.reached });
        }
        self.seen_on = connection;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use natter_testkit::{TestServer, until};

    use super::*;

    #[tokio::test]
    async fn a_log_that_ends_below_what_was_taken_from_it_is_seen_after_a_restart() {
        let server = TestServer::start().await;
        server.provision(1).await;
        let (js, mut end) = (server.js().await, LogEnd::default());
        end.check(&js, "CONV_0").await.unwrap();
        end.reach(5);
        server.restart().await;
        until("the server is asked again", async || match end.check(&js, "CONV_0").await {
            Err(NotTheSame::RolledBack { last, reached }) => (last, reached) == (0, 5),
            Err(NotTheSame::Unknown(_)) => false,
            Ok(()) => panic!("it ends at 0"),
        })
        .await;
    }
}
