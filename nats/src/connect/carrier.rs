//! Which connection carries what. What was sent over one that broke is not answered: whoever waits for it learns so when
//! there is a new one.

use std::{sync::atomic::Ordering, time::Duration};

use async_nats::{Client, connection::State};
use tokio::time::sleep;

/// The client counts its connections and reports none: two loads of an atomic in this time.
const POLL: Duration = Duration::from_millis(20);

/// Which of the client's connections, counted from 1, carries what is published now.
pub fn of_next(client: &Client) -> u64 {
    let connects = current(client);
    // Without a connection it waits in this process for the next one.
    if client.connection_state() == State::Connected { connects } else { connects + 1 }
}

/// The last that was made.
pub fn current(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}

/// Returns once a later connection than this one has been made.
pub async fn replaced(client: &Client, carrier: u64) {
    while current(client) <= carrier {
        sleep(POLL).await;
    }
}
