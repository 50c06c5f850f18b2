//! A link wherever one part speaks to another.

use std::{collections::BTreeMap, net::SocketAddr};

use super::super::{
    link::{Conduct, Link},
    part::Part,
};

#[derive(Default)]
pub struct Links(BTreeMap<(Part, Part), Link>);

impl Links {
    pub async fn lay(&mut self, from: Part, to: Part, port: u16) {
        let link = Link::to(&format!("127.0.0.1:{port}")).await;
        self.0.insert((from, to), link);
    }

    /// `host:port` of a server, as this part connects to it.
    pub fn address(&self, from: Part, to: Part) -> SocketAddr {
        self.between(from, to).address
    }

    pub fn between(&self, from: Part, to: Part) -> &Link {
        self.find(from, to).unwrap_or_else(|| panic!("{from} does not connect to {to}"))
    }

    pub fn find(&self, from: Part, to: Part) -> Option<&Link> {
        self.0.get(&(from, to))
    }

    /// All from one of these to one of those.
    pub fn all(&self, from: Part, to: Part) -> Vec<&Link> {
        let among = |(a, b): &(Part, Part)| from.covers(*a) && to.covers(*b);
        self.0.iter().filter(|(ends, _)| among(ends)).map(|(_, link)| link).collect()
    }

    /// Servers of a cluster have one connection for both, whoever made it.
    pub fn set(&self, from: Part, to: Part, conduct: Conduct) {
        for ((a, b), link) in &self.0 {
            let peers = matches!((a, b), (Part::Server(_), Part::Server(_)));
            if from.covers(*a) && to.covers(*b) {
                link.set(conduct);
            } else if peers && from.covers(*b) && to.covers(*a) {
                link.set(conduct.reversed());
            }
        }
    }
}
