//! Which servers of a cluster a connection reaches: those that answer over it.

use std::time::Duration;

use async_nats::{Client, StatusCode, Subscriber};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

/// Answered by every server of the cluster, whatever the state of its JetStream.
pub const QUESTION: &str = "$SYS.REQ.ACCOUNT.PING.STATZ";
/// Without this, servers to which no client of the account is connected are silent.
const ALL: &str = r#"{"include_unused":true}"#;
const MOST_ANSWERS: usize = 256;

#[derive(Deserialize)]
struct Answer {
    server: Server,
}

/// One process: a restarted one has another id and the same name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Server {
    pub id: String,
    pub name: String,
}

/// One after the other, until their time is over.
pub struct Answers {
    subscriber: Option<Subscriber>,
    end: Instant,
    left: usize,
}

impl Answers {
    /// Asks all servers.
    pub async fn of(client: &Client, within: Duration) -> Self {
        let (inbox, end) = (client.new_inbox(), Instant::now() + within);
        let subscriber = async {
            let subscriber = client.subscribe(inbox.clone()).await.ok()?;
            client.publish_with_reply(QUESTION, inbox, ALL.into()).await.ok()?;
            Some(subscriber)
        };
        Self { subscriber: subscriber.await, end, left: MOST_ANSWERS }
    }

    /// What cannot be read proves nothing and is passed over.
    pub async fn next(&mut self) -> Option<Server> {
        let subscriber = self.subscriber.as_mut()?;
        while self.left > 0 {
            self.left -= 1;
            let answer = timeout_at(self.end, subscriber.next()).await.ok()??;
            if answer.status == Some(StatusCode::NO_RESPONDERS) {
                return None;
            }
            if let Ok(Answer { server }) = serde_json::from_slice(&answer.payload) {
                return Some(server);
            }
        }
        None
    }
}
