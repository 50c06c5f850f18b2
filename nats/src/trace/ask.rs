//! The side that asks: a command of an operator, once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_nats::Client;
use futures_util::StreamExt;
use natter_schemas::id::{EventId, NodeId};
use tokio::time::{Instant, timeout_at};

use super::node::{Answer, NodeName, Question};
use crate::{
    connect::round_trip,
    message::{self, Reader},
    subject,
};

/// For nodes that started just now: the others do not know them yet.
const LULL: Duration = Duration::from_millis(20);

/// What nodes answered.
#[derive(Debug, Default)]
pub struct Answers {
    /// By name.
    pub answers: Vec<Answer>,
    /// Nodes that others know and that did not answer in time, by name.
    pub silent: Vec<Silent>,
}

/// A node that did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    /// What it is called.
    pub name: NodeName,
    /// Since when no other node has heard of it.
    pub silent: Duration,
}

/// Asks every node what it remembers of an event, and waits so long for answers: less once all have answered that any of
/// them knows.
///
/// # Errors
/// The connection is closed.
pub async fn ask(client: &Client, event: EventId, patience: Duration) -> Result<Answers, async_nats::Error> {
    let asker = NodeId::fresh();
    let mut arriving = client.subscribe(subject::trace_answer(asker)).await?;
    // The subscription is written behind: the first answers must not be faster than it.
    round_trip(client).await;
    let last = Instant::now() + patience;
    let mut deadline = last;
    message::send(client, subject::TRACE_QUESTION.to_owned(), &Question { asker, event }).await?;
    let reader = Reader::new("answer for a trace");
    let mut answers: BTreeMap<NodeId, Answer> = BTreeMap::new();
    while let Ok(Some(message)) = timeout_at(deadline, arriving.next()).await {
        if let Ok(answer) = reader.read::<Answer>(&message) {
            answers.insert(answer.node, answer);
            deadline = if is_complete(&answers) { last.min(Instant::now() + LULL) } else { last };
        }
    }
    let _ = arriving.unsubscribe().await;
    Ok(collected(answers))
}

/// Whether all have answered that any of them knows.
fn is_complete(answers: &BTreeMap<NodeId, Answer>) -> bool {
    answers.values().flat_map(|answer| &answer.peers).all(|peer| answers.contains_key(&peer.node))
}

fn collected(answers: BTreeMap<NodeId, Answer>) -> Answers {
    let mut silent: BTreeMap<NodeId, Silent> = BTreeMap::new();
    for peer in answers.values().flat_map(|answer| &answer.peers) {
        let since = Duration::from_millis(peer.silent_ms);
        let known = Silent { name: peer.name.clone(), silent: since };
        let one = silent.entry(peer.node).or_insert(known);
        one.silent = one.silent.min(since);
    }
    let answered: BTreeSet<NodeId> = answers.keys().copied().collect();
    silent.retain(|node, _| !answered.contains(node));
    let mut silent: Vec<Silent> = silent.into_values().collect();
    silent.sort_by(|a, b| a.name.cmp(&b.name));
    let mut answers: Vec<Answer> = answers.into_values().collect();
    answers.sort_by(|a, b| a.name.cmp(&b.name));
    Answers { answers, silent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Peer;

    #[test]
    fn a_node_that_others_know_and_that_is_silent_is_named() {
        let name = |pid| NodeName { role: "edge".to_owned(), host: "a".to_owned(), pid };
        let [first, second, gone] = [NodeId::fresh(), NodeId::fresh(), NodeId::fresh()];
        let peer = |node, pid, silent_ms| Peer { node, name: name(pid), silent_ms };
        let answer =
            |node, pid, peers| Answer { node, name: name(pid), hops: Vec::new(), since: None, peers };
        let all = BTreeMap::from([
            (first, answer(first, 2, vec![peer(second, 1, 10), peer(gone, 3, 9_000)])),
            (second, answer(second, 1, vec![peer(gone, 3, 7_000)])),
        ]);
        assert!(!is_complete(&all), "the one that is gone is waited for");
        let Answers { answers, silent } = collected(all);
        assert_eq!(answers.iter().map(|answer| answer.name.pid).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(silent, [Silent { name: name(3), silent: Duration::from_secs(7) }]);
    }
}
