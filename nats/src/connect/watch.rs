//! Leaves a server that is cut off from others of its cluster for one that reaches more of them. The connection itself
//! looks well meanwhile: the server answers pings, and what is published or asked through it arrives nowhere.
//!
//! A server that is missed proves nothing: it may have died, and when the whole cluster is away, connecting again helps
//! nobody. So another server has to show first, over a connection of its own, that it reaches more.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use async_nats::{Client, ServerAddr, connection::State};
use natter_schemas::backoff::Backoff;
use rand::seq::SliceRandom;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::{Address, Purpose, choice::Choice, options, reach};

/// Between two looks at most, half of it at random: connections do not move in one instant.
const LOOK: Duration = Duration::from_secs(2);
/// A server answers within milliseconds.
const ANSWERS: Duration = Duration::from_millis(500);
/// A busy one later.
const LATE_ANSWERS: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(1);
/// Between searches that find nothing better.
const SEARCH_MAX: Duration = Duration::from_mins(1);
/// A server that is down for longer is missed no more.
const FORGOTTEN: Duration = Duration::from_mins(5);

/// A connection that is watched, and how to make others like it.
pub struct Watch {
    pub client: Client,
    pub choice: Choice,
    pub address: Address,
    pub servers: Vec<ServerAddr>,
    pub purpose: Purpose,
}

impl Watch {
    /// Until the client is closed.
    pub async fn run(self) {
        let (mut known, mut search) = (Known::default(), Search::new());
        // Ends with the connection, and waits for the next one while there is none.
        while self.client.flush().await.is_ok() {
            sleep(Backoff::new(LOOK / 2, LOOK).after(1).next_delay()).await;
            if self.client.connection_state() != State::Connected {
                continue;
            }
            let seen = self.look(&mut known).await;
            if search.is_due(known.missing(&seen), Instant::now())
                && let Some(better) = self.find_better(seen.len()).await
            {
                self.move_to(better).await;
            }
        }
    }

    /// Whom the connection reaches; who is missed is asked again.
    async fn look(&self, known: &mut Known) -> HashSet<String> {
        let mut seen = names(&self.client, ANSWERS, |_| false).await;
        if known.missing(&seen) > 0 {
            seen.extend(names(&self.client, LATE_ANSWERS, |seen| known.missing(seen) == 0).await);
        }
        known.note(&seen, Instant::now());
        seen
    }

    /// Another server that reaches more than so many.
    async fn find_better(&self, here: usize) -> Option<ServerAddr> {
        let mut pool = self.client.server_pool().await.ok()?;
        pool.shuffle(&mut rand::rng());
        for server in pool {
            let there = self.reached_from(&server.addr).await;
            if there > here {
                warn!(
                    purpose = self.purpose.name(),
                    peer = format!("{}:{}", server.addr.host(), server.addr.port()),
                    "the nats server of this connection reaches fewer servers than another one; moving to that"
                );
                return Some(server.addr);
            }
        }
        None
    }

    async fn reached_from(&self, server: &ServerAddr) -> usize {
        let Ok(options) = options(&self.address, &self.servers, "natter search") else { return 0 };
        match timeout(CONNECT, options.connect(server.clone())).await {
            Ok(Ok(client)) => names(&client, ANSWERS, |_| false).await.len(),
            Ok(Err(_)) | Err(_) => 0,
        }
    }

    async fn move_to(&self, server: ServerAddr) {
        metrics::counter!("natter_nats_moved_total", "purpose" => self.purpose.name()).increment(1);
        self.choice.prefer(server);
        // A client that is closed has no connection to move.
        drop(self.client.force_reconnect().await);
    }
}

async fn names(
    client: &Client,
    within: Duration,
    enough: impl Fn(&HashSet<String>) -> bool,
) -> HashSet<String> {
    let mut names = HashSet::new();
    let mut answers = reach::Answers::of(client, within).await;
    while !enough(&names)
        && let Some(server) = answers.next().await
    {
        names.insert(server.name);
    }
    names
}

/// Servers that answered lately, by name.
#[derive(Default)]
struct Known(HashMap<String, Instant>);

impl Known {
    fn note(&mut self, seen: &HashSet<String>, now: Instant) {
        self.0.extend(seen.iter().map(|name| (name.clone(), now)));
        self.0.retain(|_, last| now.duration_since(*last) < FORGOTTEN);
    }

    fn missing(&self, seen: &HashSet<String>) -> usize {
        self.0.keys().filter(|name| !seen.contains(*name)).count()
    }
}

/// When another server is looked for: at once when more are missed than before, later and later while that changes
/// nothing.
struct Search {
    missing: usize,
    backoff: Backoff,
    next: Option<Instant>,
}

impl Search {
    const fn new() -> Self {
        Self { missing: 0, backoff: Backoff::new(LOOK, SEARCH_MAX), next: None }
    }

    fn is_due(&mut self, missing: usize, now: Instant) -> bool {
        if missing != self.missing {
            *self = Self { missing, ..Self::new() };
        }
        let due = missing > 0 && self.next.is_none_or(|next| now >= next);
        if due {
            self.next = Some(now + self.backoff.next_delay());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> HashSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_server_is_missed_until_it_was_away_for_long() {
        let (mut known, start) = (Known::default(), Instant::now());
        known.note(&names(&["n0", "n1", "n2"]), start);
        assert_eq!((known.missing(&names(&["n0"])), known.missing(&names(&["n2", "n1", "n0"]))), (2, 0));
        known.note(&names(&["n0", "n1"]), start + FORGOTTEN / 2);
        assert_eq!(known.missing(&names(&["n0", "n1"])), 1);
        known.note(&names(&["n0", "n1"]), start + FORGOTTEN);
        assert_eq!(known.missing(&names(&["n0", "n1"])), 0);
    }

    #[test]
    fn a_search_is_repeated_rarely_and_at_once_when_more_are_missed() {
        let (mut search, start) = (Search::new(), Instant::now());
        assert!(!search.is_due(0, start) && search.is_due(1, start));
        assert!(!search.is_due(1, start + LOOK / 2) && search.is_due(2, start + LOOK / 2));
        let searches = (0..600).filter(|s| search.is_due(2, start + Duration::from_secs(*s + 1))).count();
        assert!((12..=25).contains(&searches), "{searches} in ten minutes");
        assert!(!search.is_due(0, start + SEARCH_MAX) && search.is_due(2, start + SEARCH_MAX));
    }
}
