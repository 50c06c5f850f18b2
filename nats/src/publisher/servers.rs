//! Which processes of NATS run, by their own answers. One whose disk is full goes on answering: it only stores nothing,
//! so it differs from one that has died, and from one that has just been started and is about to store again.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_nats::Client;
use natter_schemas::limits;
use parking_lot::Mutex;
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};
use tracing::warn;

use crate::connect::reach::{Answers, QUESTION, Server};

const ANSWERS: Duration = Duration::from_millis(300);
const LOOK: Duration = Duration::from_secs(30);
/// A process seen for this long has nothing left to start or to elect. As long as a publish waits at most.
const SETTLED: Duration = limits::PUBLISH;
/// Whatever the death of a process set off is over by then. More than [`LOOK`]: each is seen once in this time.
const FORGOTTEN: Duration = Duration::from_secs(45);
/// Looks that nothing answers before it is given up: this user may not ask.
const UNANSWERED: u32 = 3;

/// Looks from time to time; ends with the last clone.
#[derive(Clone)]
pub struct Servers {
    client: Client,
    seen: Arc<Mutex<Seen>>,
    _task: Arc<JoinSet<()>>,
}

/// Who answers now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// The names of those that have run for long enough to store, if they could.
    pub settled: HashSet<String>,
    /// Nothing else was seen lately: no server has died or been started.
    pub unchanged: bool,
}

/// Processes that answered lately, by their ids.
#[derive(Default)]
struct Seen {
    all: HashMap<String, Times>,
    begun: bool,
}

#[derive(Clone, Copy)]
struct Times {
    first: Instant,
    /// Whether that was the first look: a server may have died just before it, which shows nowhere.
    from_the_start: bool,
    last: Instant,
}

impl Servers {
    pub fn start(client: Client) -> Self {
        let seen = Arc::default();
        let mut task = JoinSet::new();
        task.spawn(look_again(client.clone(), Arc::clone(&seen)));
        Self { client, seen, _task: Arc::new(task) }
    }

    /// Asks; takes about 0.3 s. `has_stored`: the stream in question has stored something since the first look, so the
    /// servers that were there then had settled for it.
    pub async fn running(&self, has_stored: bool) -> Running {
        let answers = ask_all(&self.client).await;
        self.seen.lock().judge(&answers, Instant::now(), has_stored)
    }
}

async fn look_again(client: Client, seen: Arc<Mutex<Seen>>) {
    let (mut looks, mut unanswered) = (interval(LOOK), 0);
    while unanswered < UNANSWERED {
        looks.tick().await;
        let answers = ask_all(&client).await;
        let mut seen = seen.lock();
        seen.judge(&answers, Instant::now(), false);
        unanswered = if seen.begun { 0 } else { unanswered + 1 };
    }
    warn!(
        subject = QUESTION,
        "nats servers do not say whether they run: while the disks of most servers of a cluster are full, sends are \
         refused after {} s only; this user must be allowed to publish to the subject",
        limits::PUBLISH.as_secs()
    );
}

async fn ask_all(client: &Client) -> Vec<Server> {
    let (mut answers, mut found) = (Answers::of(client, ANSWERS).await, Vec::new());
    while let Some(server) = answers.next().await {
        found.push(server);
    }
    found
}

impl Seen {
    /// What the answers say beside those before; remembers them.
    fn judge(&mut self, answers: &[Server], now: Instant, has_stored: bool) -> Running {
        self.all.retain(|_, times| now.duration_since(times.last) < FORGOTTEN);
        let answering: HashSet<&str> = answers.iter().map(|server| server.id.as_str()).collect();
        let all_answer = self.all.keys().all(|id| answering.contains(id.as_str()));
        let is_settled = |server: &&Server| {
            let times = self.all.get(&server.id);
            times.is_some_and(|times| {
                now.duration_since(times.first) >= SETTLED || (times.from_the_start && has_stored)
            })
        };
        let settled: HashSet<String> = answers.iter().filter(is_settled).map(|s| s.name.clone()).collect();
        let unchanged = all_answer && !answers.is_empty() && settled.len() == answering.len();
        let new = Times { first: now, from_the_start: !self.begun, last: now };
        for server in answers {
            self.all.entry(server.id.clone()).or_insert(new).last = now;
        }
        self.begun |= !answers.is_empty();
        Running { settled, unchanged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(ids: &[&str]) -> Vec<Server> {
        let server = |id: &&str| Server { id: (*id).to_owned(), name: id[..2].to_owned() };
        ids.iter().map(server).collect()
    }

    fn names(names: &[&str]) -> HashSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn servers_of_the_first_look_are_settled_once_the_stream_has_stored() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        assert_eq!(seen.judge(&servers(&["n0-a", "n1-a"]), start, true), Running::default());
        let whole = Running { settled: names(&["n0", "n1"]), unchanged: true };
        assert_eq!(seen.judge(&servers(&["n0-a", "n1-a"]), start, true), whole);

        let more = servers(&["n0-a", "n1-a", "n2-a"]);
        for after in [LOOK / 2, LOOK.saturating_sub(SETTLED / 4)] {
            let early = Running { settled: names(&["n0", "n1"]), unchanged: false };
            assert_eq!(seen.judge(&more, start + after, true), early);
        }
        let later = Running { settled: names(&["n0", "n1", "n2"]), unchanged: true };
        assert_eq!(seen.judge(&more, start + LOOK / 2 + SETTLED, true), later);
    }

    #[test]
    fn what_happened_just_before_the_first_look_is_waited_for() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let left = servers(&["n1-a", "n2-a"]);
        for after in [Duration::ZERO, SETTLED / 2] {
            assert_eq!(seen.judge(&left, start + after, false), Running::default());
        }
        let later = Running { settled: names(&["n1", "n2"]), unchanged: true };
        assert_eq!(seen.judge(&left, start + SETTLED, false), later);
    }

    #[test]
    fn a_server_that_died_is_missed_until_its_death_is_long_ago() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        seen.judge(&servers(&["n0-a", "n1-a", "n2-a"]), start, true);
        let left = servers(&["n1-a", "n2-a"]);
        let without = |unchanged| Running { settled: names(&["n1", "n2"]), unchanged };
        assert_eq!(seen.judge(&left, start + Duration::from_secs(2), true), without(false));
        assert_eq!(seen.judge(&left, start + LOOK, true), without(false));
        assert_eq!(seen.judge(&left, start + FORGOTTEN, true), without(true));
        assert_eq!(seen.all.len(), 2);
    }

    #[test]
    fn a_restarted_server_is_another_process() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        seen.judge(&servers(&["n0-a", "n1-a", "n2-a"]), start, true);
        let restarted = servers(&["n0-b", "n1-a", "n2-a"]);
        let early = Running { settled: names(&["n1", "n2"]), unchanged: false };
        assert_eq!(seen.judge(&restarted, start + Duration::from_secs(2), true), early);
    }

    #[test]
    fn without_an_answer_nothing_is_known() {
        let mut seen = Seen::default();
        assert_eq!(seen.judge(&[], Instant::now(), true), Running::default());
        assert!(!seen.begun);
    }
}
