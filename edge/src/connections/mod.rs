//! How many connections there are: in all, so that files are left for everything else, and from each address, so that
//! one cannot have all of them. A connection counts until it ends, as a socket too.

mod stream; // bytes of a connection that is counted
mod progress; // where it is in its requests
mod body; // of a request, to its end
mod linger; // what is read after an early answer

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use natter_runtime::config::ConnectionLimits;
use natter_schemas::limits;
use parking_lot::Mutex;

pub use body::RequestBody;
pub use progress::RequestProgress;
pub use stream::{Connection, Patience};

pub struct Connections {
    /// In all.
    most: usize,
    /// From one network.
    most_of_network: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    count: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// As many as this process may have.
    Node,
    /// As many as one address may have.
    Address,
}

impl Full {
    const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Address => "address",
        }
    }
}

impl Connections {
    /// `files`: as many as this process may open.
    pub fn new(wanted: ConnectionLimits, files: usize) -> Self {
        let room = files.saturating_sub(limits::RESERVED_FILES).max(files / 2).max(1);
        let most = wanted.all.min(room);
        let part = most / limits::CONNECTIONS_PART_OF_ADDRESS;
        let most_of_network = wanted.per_address.unwrap_or(part).clamp(1, most);
        // It is 0 before the first client, and not absent.
        metrics::gauge!("natter_connections").increment(0.0);
        Self { most, most_of_network, open: Mutex::default() }
    }

    pub fn most(&self) -> usize {
        self.most
    }

    /// Counts a connection until the permit is dropped, or refuses it. `network` is `None` for trusted proxies: theirs
    /// are those of many clients.
    pub fn admit(self: &Arc<Self>, network: Option<IpAddr>) -> Result<Permit, Full> {
        let mut open = self.open.lock();
        let of_network = network.and_then(|network| open.by_network.get(&network)).copied().unwrap_or(0);
        let full = if open.count >= self.most {
            Some(Full::Node)
        } else if of_network >= self.most_of_network {
            Some(Full::Address)
        } else {
            None
        };
        if let Some(full) = full {
            metrics::counter!("natter_connections_refused_total", "reason" => full.name()).increment(1);
            return Err(full);
        }
        open.count += 1;
        if let Some(network) = network {
            *open.by_network.entry(network).or_default() += 1;
        }
        metrics::gauge!("natter_connections").increment(1.0);
        Ok(Permit { connections: self.clone(), network })
    }

    /// Hardly any are left: new clients should go to another node.
    pub fn are_scarce(&self) -> bool {
        self.open.lock().count >= self.most - self.most / 20
    }

    fn ended(&self, network: Option<IpAddr>) {
        let mut open = self.open.lock();
        open.count -= 1;
        if let Some(network) = network
            && let Some(count) = open.by_network.get_mut(&network)
        {
            *count -= 1;
            if *count == 0 {
                open.by_network.remove(&network);
            }
        }
        metrics::gauge!("natter_connections").decrement(1.0);
    }
}

/// A connection that is counted.
#[must_use]
pub struct Permit {
    connections: Arc<Connections>,
    network: Option<IpAddr>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connections.ended(self.network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: usize, per_address: Option<usize>, files: usize) -> Arc<Connections> {
        Arc::new(Connections::new(ConnectionLimits { all, per_address }, files))
    }

    #[test]
    fn some_files_are_never_connections() {
        for (files, most, of_network) in [
            (20_000, 19_744, 4_936),
            (1_024, 768, 192),
            (300, 150, 37),
            (1, 1, 1),
            (usize::MAX, 100_000, 25_000),
        ] {
            let connections = of(limits::CONNECTIONS, None, files);
            assert_eq!((connections.most, connections.most_of_network), (most, of_network), "{files}");
        }
        assert_eq!(of(100, Some(1_000), 20_000).most_of_network, 100);
    }

    #[test]
    fn one_address_cannot_have_all_connections_and_trusted_proxies_can() {
        let connections = of(4, Some(2), usize::MAX);
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        let first = [connections.admit(address(1)).ok(), connections.admit(address(1)).ok()];
        assert_eq!(connections.admit(address(1)).err(), Some(Full::Address));
        let others = [connections.admit(address(2)).ok(), connections.admit(None).ok()];
        assert!(first.iter().chain(&others).all(Option::is_some) && connections.are_scarce());
        assert_eq!(connections.admit(None).err(), Some(Full::Node));
        drop(first);
        assert!(!connections.are_scarce());
        let proxied = [connections.admit(None).ok(), connections.admit(None).ok()];
        assert!(proxied.iter().all(Option::is_some));
        drop((others, proxied));
        let open = connections.open.lock();
        assert!(open.count == 0 && open.by_network.is_empty());
    }
}
