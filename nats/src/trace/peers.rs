//! Which nodes there are, as each node learns it from the others: so a node that does not answer is missed. Nothing is
//! decided by it.

use std::{collections::HashMap, time::Duration};

use natter_schemas::id::NodeId;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::node::NodeName;

/// A node that was not heard of for so long has gone; one that ends says so.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// Nodes that a node knows of: 20 KiB in an answer. Of more it forgets who was silent the longest.
const MOST: usize = 256;

/// A node, as another one knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Which.
    pub node: NodeId,
    /// What it is called.
    pub name: NodeName,
    /// Since when it was not heard of, in milliseconds of whoever knows it.
    pub silent_ms: u64,
}

/// That a node is there, or ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Presence {
    pub node: NodeId,
    pub name: NodeName,
    pub ends: bool,
}

/// The nodes this one has heard of, itself included.
#[derive(Default)]
pub struct Peers(HashMap<NodeId, (NodeName, Instant)>);

impl Peers {
    pub fn hear(&mut self, presence: Presence, now: Instant) {
        self.0.retain(|_, (_, heard)| now.saturating_duration_since(*heard) < FORGOTTEN);
        if presence.ends {
            self.0.remove(&presence.node);
            return;
        }
        if self.0.len() >= MOST && !self.0.contains_key(&presence.node) {
            let longest = self.0.iter().min_by_key(|(_, (_, heard))| *heard).map(|(node, _)| *node);
            longest.and_then(|node| self.0.remove(&node));
        }
        self.0.insert(presence.node, (presence.name, now));
    }

    pub fn known(&self, now: Instant) -> Vec<Peer> {
        let peer = |(node, (name, heard)): (&NodeId, &(NodeName, Instant))| {
            let silent = now.saturating_duration_since(*heard);
            let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
            (silent < FORGOTTEN).then(|| Peer { node: *node, name: name.clone(), silent_ms })
        };
        self.0.iter().filter_map(peer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(ends: bool) -> Presence {
        let name = NodeName { role: "edge".to_owned(), host: "a".to_owned(), pid: 1 };
        Presence { node: NodeId::fresh(), name, ends }
    }

    #[test]
    fn a_node_is_known_until_it_ends_or_was_silent_for_long() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        let [orderly, killed] = [presence(false), presence(false)];
        peers.hear(orderly.clone(), now);
        peers.hear(killed.clone(), now);
        assert_eq!(peers.known(now).len(), 2);
        let later = now + Duration::from_secs(9);
        peers.hear(Presence { ends: true, ..orderly }, later);
        let known = peers.known(later);
        assert_eq!((known.len(), known[0].node, known[0].silent_ms), (1, killed.node, 9_000));
        assert!(peers.known(now + FORGOTTEN).is_empty());
    }

    #[test]
    fn the_nodes_that_are_known_are_bounded() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        let first = presence(false);
        peers.hear(first.clone(), now);
        for _ in 0..MOST {
            peers.hear(presence(false), now + Duration::from_secs(1));
        }
        let known = peers.known(now + Duration::from_secs(1));
        assert_eq!(known.len(), MOST);
        assert!(known.iter().all(|peer| peer.node != first.node));
    }
}
