//! Which server a connection is made to next: the one that was not chosen for longest, so never the one that has just
//! failed, or the one that was found to reach more of the cluster.

use std::sync::Arc;

use async_nats::{ReconnectToServer, Server, ServerAddr};
use parking_lot::Mutex;
use rand::seq::IteratorRandom;

/// Of one connection.
#[derive(Clone, Default)]
pub struct Choice(Arc<Mutex<Chosen>>);

#[derive(Default)]
struct Chosen {
    preferred: Option<ServerAddr>,
    /// Those that were chosen, the last one at the end.
    before: Vec<ServerAddr>,
}

impl Choice {
    /// The next connection is made to this one, if the driver knows it.
    pub fn prefer(&self, server: ServerAddr) {
        self.0.lock().preferred = Some(server);
    }

    /// After the driver's usual wait.
    pub fn next(&self, pool: &[Server]) -> Option<ReconnectToServer> {
        let known: Vec<ServerAddr> = pool.iter().map(|server| server.addr.clone()).collect();
        let addr = self.0.lock().next(&known)?;
        Some(ReconnectToServer { addr, delay: None })
    }
}

impl Chosen {
    fn next(&mut self, known: &[ServerAddr]) -> Option<ServerAddr> {
        self.before.retain(|server| known.contains(server));
        let preferred = self.preferred.take().filter(|server| known.contains(server));
        let new = || known.iter().filter(|server| !self.before.contains(server)).choose(&mut rand::rng());
        let next = preferred.or_else(|| new().or_else(|| self.before.first()).cloned())?;
        self.before.retain(|server| *server != next);
        self.before.push(next.clone());
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn servers(hosts: &[&str]) -> Vec<ServerAddr> {
        hosts.iter().map(|host| format!("nats://{host}:4222").parse().unwrap()).collect()
    }

    #[test]
    fn every_other_server_is_tried_before_the_one_that_failed() {
        let (mut chosen, all) = (Chosen::default(), servers(&["a", "b", "c"]));
        let order: Vec<_> = (0..3).map(|_| chosen.next(&all).unwrap()).collect();
        assert_eq!(order.iter().collect::<HashSet<_>>().len(), 3);
        let again: Vec<_> = (0..3).map(|_| chosen.next(&all).unwrap()).collect();
        assert_eq!(again, order);
        assert_eq!(chosen.next(&all[..1]).as_ref(), Some(&all[0]), "the only one");
        assert_eq!(chosen.next(&[]), None);
    }

    #[test]
    fn a_preferred_server_is_chosen_once() {
        let (mut chosen, all) = (Chosen::default(), servers(&["a", "b"]));
        chosen.next(&all[..1]);
        chosen.preferred = Some(all[0].clone());
        assert_eq!(chosen.next(&all).as_ref(), Some(&all[0]));
        assert_eq!(chosen.next(&all).as_ref(), Some(&all[1]));
        chosen.preferred = Some(servers(&["gone"]).remove(0));
        assert_eq!(chosen.next(&all).as_ref(), Some(&all[0]), "the driver does not know it any more");
    }
}
