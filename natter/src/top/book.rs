//! What is remembered of each node between looks: rates come from two of them.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    figures::Figures,
    source::{Look, Seen},
    view::{NO_ANSWER, Recent, Row, View},
};
use crate::cli::top::MOST_NODES;

/// Looks behind the newest, which rates and percentiles are of.
const LOOKS: usize = 10;
/// After so many looks without an answer a node has gone.
const MISSES: usize = 10;

#[derive(Default)]
pub struct Book(BTreeMap<String, Node>);

#[derive(Default)]
struct Node {
    /// Oldest first.
    looks: VecDeque<(Instant, Figures)>,
    status: String,
    parts: BTreeMap<String, bool>,
    /// Without an answer since.
    misses: usize,
    /// When it was last heard of; not known of an address that never answered.
    heard: Option<Instant>,
}

impl Book {
    pub fn take(&mut self, look: Look, now: Instant) -> View {
        let Look { nodes, missing, trouble } = look;
        // While no one can be asked, no one is missed.
        if trouble.is_none() {
            self.0.values_mut().for_each(|node| node.misses += 1);
        }
        for (name, silent) in missing {
            if self.has_room_for(&name) {
                let heard = now.checked_sub(silent).filter(|_| silent > Duration::ZERO);
                let node = || Node { misses: 1, heard, ..Node::default() };
                self.0.entry(name).or_insert_with(node);
            }
        }
        for (name, seen) in nodes {
            if self.has_room_for(&name) {
                self.0.entry(name).or_default().see(seen, now);
            }
        }
        self.0.retain(|_, node| node.misses <= MISSES);
        self.view(trouble, now)
    }

    fn has_room_for(&self, name: &str) -> bool {
        self.0.len() < MOST_NODES || self.0.contains_key(name)
    }

    fn view(&self, trouble: Option<String>, now: Instant) -> View {
        let stale = trouble.is_some();
        let rows = self.0.iter().map(|(name, node)| node.row(name, stale, now));
        View::new(rows.collect(), trouble)
    }
}

impl Node {
    fn see(&mut self, seen: Seen, now: Instant) {
        let Seen { status, parts, figures } = seen;
        // Counters that fall are of a process that began again under the same name.
        let cpu = self.looks.back().map_or(0.0, |(_, last)| last.cpu);
        if figures.cpu < cpu {
            self.looks.clear();
        }
        self.looks.push_back((now, figures));
        if self.looks.len() > LOOKS + 1 {
            self.looks.pop_front();
        }
        (self.status, self.parts, self.misses, self.heard) = (status, parts, 0, Some(now));
    }

    fn row(&self, name: &str, stale: bool, now: Instant) -> Row {
        let silent = stale || self.misses > 0;
        let status = if silent { NO_ANSWER.to_owned() } else { self.status.clone() };
        let heard = self.heard.filter(|_| silent);
        let silent_seconds = heard.map(|heard| now.saturating_duration_since(heard).as_secs());
        let (figures, recent) = (self.looks.back().map(|(_, figures)| figures.clone()), self.recent());
        Row::new(name, status, silent_seconds, self.parts.clone(), figures.unwrap_or_default(), recent)
    }

    fn recent(&self) -> Option<Recent> {
        let ((begin, then), (end, now)) = (self.looks.front()?, self.looks.back()?);
        let seconds = end.saturating_duration_since(*begin).as_secs_f64();
        (seconds > 0.0).then(|| Recent::between(then, now, seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(accepted: u32, cpu: f64) -> Seen {
        let text = format!("natter_commands_accepted_total {accepted}\nprocess_cpu_seconds_total {cpu}\n");
        let figures = Figures::read(&text);
        Seen { status: "ok".to_owned(), parts: BTreeMap::from([("nats".to_owned(), true)]), figures }
    }

    fn look(name: &str, seen: Seen) -> Look {
        Look { nodes: BTreeMap::from([(name.to_owned(), seen)]), ..Look::default() }
    }

    #[test]
    fn rates_are_of_the_last_ten_looks() {
        let (mut book, start) = (Book::default(), Instant::now());
        let mut at = |second: u32, accepted| {
            let look = look("edge", seen(accepted, f64::from(second)));
            book.take(look, start + Duration::from_secs(second.into())).all.per_second
        };
        assert_eq!(at(0, 1_000), None, "one look says nothing of rates");
        assert_eq!(at(1, 1_030).unwrap().get("accepted"), Some(&30.0));
        let last = (2..=20).map(|second| at(second, 2_000 + second)).last();
        assert_eq!(last.unwrap().unwrap().get("accepted"), Some(&1.0));
    }

    #[test]
    fn a_process_that_began_again_has_no_rate_yet() {
        let (mut book, now) = (Book::default(), Instant::now());
        book.take(look("edge a:1", seen(1_000, 60.0)), now);
        let view = book.take(look("edge a:1", seen(3, 0.5)), now + Duration::from_secs(1));
        assert_eq!(
            (view.nodes[0].figures.per_second.as_ref(), view.nodes[0].figures.totals["accepted"]),
            (None, 3.0)
        );
    }

    #[test]
    fn a_node_that_is_silent_is_shown_for_ten_looks() {
        let (mut book, now) = (Book::default(), Instant::now());
        book.take(look("edge", seen(7, 1.0)), now);
        for second in 1..=10 {
            let view = book.take(Look::default(), now + Duration::from_secs(second));
            let row = &view.nodes[0];
            assert_eq!((row.status.as_str(), row.silent_seconds), (NO_ANSWER, Some(second)));
            assert_eq!(view.all.totals.get("accepted"), Some(&0.0), "what is not there is not added up");
        }
        assert!(book.take(Look::default(), now + Duration::from_secs(11)).nodes.is_empty());
        let back = book.take(look("edge", seen(8, 2.0)), now + Duration::from_secs(12));
        assert_eq!(back.nodes[0].status, "ok");
    }

    #[test]
    fn nodes_stay_while_there_is_no_one_to_ask() {
        let (mut book, now) = (Book::default(), Instant::now());
        book.take(look("edge", seen(7, 1.0)), now);
        for second in 1..=30 {
            let look = Look { trouble: Some("no connection".to_owned()), ..Look::default() };
            let view = book.take(look, now + Duration::from_secs(second));
            assert_eq!((view.nodes[0].status.as_str(), view.nodes.len()), (NO_ANSWER, 1));
        }
    }

    #[test]
    fn no_more_nodes_are_kept_than_a_screen_has() {
        let mut book = Book::default();
        let nodes = (0..2 * MOST_NODES).map(|n| (format!("edge {n}"), seen(1, 1.0))).collect();
        let missing = vec![("worker".to_owned(), Duration::from_secs(1))];
        let view = book.take(Look { nodes, missing, trouble: None }, Instant::now());
        assert_eq!(view.nodes.len(), MOST_NODES);
    }
}
