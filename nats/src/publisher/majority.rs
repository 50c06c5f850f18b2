//! Whether a stream of several copies has lost its majority to full or failing disks. Arrives: a stream that does not
//! answer a publish. Leaves: whether most of its servers run, as they answer themselves, but take no part in it.
//!
//! A server of a cluster that cannot write switches its JetStream off and runs on. If it was the leader it steps down
//! first, and another is elected within half a second: longer silence although no server has died or been started
//! means that no majority is left to elect one. While a leader is there, it knows which copies are silent to it.

use std::time::Duration;

use async_nats::Client;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    ask::stream_info,
    servers::{Running, Servers},
};

/// From the first question about the stream to the last.
const LOOKS: Duration = Duration::from_millis(800);
const LOOK: Duration = Duration::from_millis(400);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// Copies answer their leader every second.
const SILENT: Duration = Duration::from_millis(1250);

/// What the configuration of a stream says about its copies.
#[derive(Debug, PartialEq, Eq)]
enum Copies {
    /// Nothing leads it, or nothing says so.
    Leaderless,
    /// How many there are, and the names of those that its leader does not hear.
    Led { all: usize, silent: Vec<String> },
}

/// Takes a second at most, and less where a leader knows. `has_stored`: the stream has, since `servers` were first
/// asked.
pub async fn is_lost(client: &Client, servers: &Servers, stream: &str, has_stored: bool) -> bool {
    let end = Instant::now() + LOOKS;
    match look(client, stream).await {
        // It is not there, or has one copy that is.
        None | Some(Copies::Led { all: 1, .. }) => false,
        Some(first) => {
            let (last, running) =
                tokio::join!(last_look(client, stream, first, end), servers.running(has_stored));
            last.is_some_and(|last| last.may_be_lost() && !last.store(&running))
        }
    }
}

/// What is left of it at the end, or before, when its leader has lost most of the others. `None` once all is well.
async fn last_look(client: &Client, stream: &str, first: Copies, end: Instant) -> Option<Copies> {
    let (mut copies, mut led) = (first, false);
    loop {
        match &copies {
            Copies::Led { .. } if copies.may_be_lost() => return Some(copies),
            Copies::Led { .. } => led = true,
            // It has a new leader soon.
            Copies::Leaderless if led => return None,
            Copies::Leaderless => {}
        }
        if Instant::now() + BETWEEN_LOOKS >= end {
            return Some(copies);
        }
        sleep(BETWEEN_LOOKS).await;
        copies = look(client, stream).await?;
    }
}

/// `None`: the stream is not there, which is no matter of disks.
async fn look(client: &Client, stream: &str) -> Option<Copies> {
    // Without a leader often nothing answers.
    stream_info(client, stream, LOOK).await.map_or(Some(Copies::Leaderless), |info| read(&info))
}

/// Whether a leader hears enough copies to store something.
pub async fn is_there(client: &Client, stream: &str) -> bool {
    look(client, stream).await.is_some_and(|copies| !copies.may_be_lost())
}

impl Copies {
    fn may_be_lost(&self) -> bool {
        match self {
            Self::Leaderless => true,
            Self::Led { all, silent } => !has_majority(*all, silent.len()),
        }
    }

    /// Whether there may be a majority now or soon: who has died or was just started comes back.
    fn store(&self, running: &Running) -> bool {
        match self {
            Self::Leaderless => !running.unchanged,
            Self::Led { all, silent } => {
                has_majority(*all, silent.iter().filter(|name| running.settled.contains(*name)).count())
            }
        }
    }
}

const fn has_majority(all: usize, lost: usize) -> bool {
    2 * (all - lost) > all
}

/// `None`: the stream is not there, which is no matter of disks.
fn read(info: &Value) -> Option<Copies> {
    if let Some(error) = info.get("error") {
        // The servers have no leader to decide.
        return (error["code"].as_u64() == Some(503)).then_some(Copies::Leaderless);
    }
    let cluster = &info["cluster"];
    if cluster["leader"].as_str().is_none_or(str::is_empty) {
        return Some(Copies::Leaderless);
    }
    let others = cluster["replicas"].as_array().map_or(&[][..], Vec::as_slice);
    let silent = others.iter().filter(|other| is_silent(other)).filter_map(|other| other["name"].as_str());
    Some(Copies::Led { all: others.len() + 1, silent: silent.map(str::to_owned).collect() })
}

/// Of one copy as its leader reports it.
fn is_silent(copy: &Value) -> bool {
    let since = copy["active"].as_u64().map_or(Duration::ZERO, Duration::from_nanos);
    // A new leader that has never heard it reports no time at all.
    since >= SILENT || (since.is_zero() && copy["current"].as_bool() != Some(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn copy(name: &str, current: bool, active: u64) -> Value {
        json!({"name": name, "current": current, "active": active})
    }

    fn info(leader: Option<&str>, replicas: &[Value]) -> Value {
        json!({"cluster": {"name": "c", "leader": leader, "replicas": replicas}})
    }

    fn settled(names: &[&str], unchanged: bool) -> Running {
        Running { settled: names.iter().map(|name| (*name).to_owned()).collect(), unchanged }
    }

    #[test]
    fn a_leader_names_the_copies_that_are_silent_to_it() {
        let second = 1_000_000_000;
        let heard = [copy("n1", true, second / 2), copy("n2", false, second)];
        assert_eq!(read(&info(Some("n0"), &heard)), Some(Copies::Led { all: 3, silent: vec![] }));
        let unheard = [copy("n1", true, 2 * second), copy("n2", false, 0)];
        let silent = vec!["n1".to_owned(), "n2".to_owned()];
        assert_eq!(read(&info(Some("n0"), &unheard)), Some(Copies::Led { all: 3, silent }));
        assert_eq!(read(&info(Some("n0"), &[])), Some(Copies::Led { all: 1, silent: vec![] }));
    }

    #[test]
    fn a_stream_that_is_gone_has_not_lost_its_majority() {
        assert_eq!(read(&json!({"error": {"code": 404, "err_code": 10059}})), None);
        assert_eq!(read(&json!({"error": {"code": 503, "err_code": 10008}})), Some(Copies::Leaderless));
        assert_eq!(read(&info(None, &[copy("n0", false, 0)])), Some(Copies::Leaderless));
    }

    #[test]
    fn only_servers_that_run_and_store_nothing_lose_a_majority() {
        let led = |silent: &[&str]| Copies::Led {
            all: 3,
            silent: silent.iter().map(|s| (*s).to_owned()).collect(),
        };
        assert!(!led(&["n1", "n2"]).store(&settled(&["n0", "n1", "n2"], true)));
        // One of them has died or was just started: it comes back.
        assert!(led(&["n1", "n2"]).store(&settled(&["n0", "n1"], false)));
        assert!(led(&["n2"]).store(&settled(&["n0", "n1", "n2"], true)));
        // An election after a death passes.
        assert!(Copies::Leaderless.store(&settled(&["n1", "n2"], false)));
        assert!(!Copies::Leaderless.store(&settled(&["n0", "n1", "n2"], true)));
    }
}
