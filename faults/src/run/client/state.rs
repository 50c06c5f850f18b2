//! What a client is asked for, and where it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::log::Seq;

/// What the run asks of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A message each so often.
    Send(Duration),
    Listen,
    Stop,
}

/// Where a client is, for whoever waits for it.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub waiting: usize,
    /// The order that it follows: from the moment at which this is no `Send`, it begins no message.
    pub follows: Option<Order>,
    pub positions: BTreeMap<String, Seq>,
    /// Rooms that it may be taken into: it follows them from then on.
    pub expects: BTreeSet<String>,
    pub connects: u32,
    /// A close or an error that ends a client for good: none of these is expected.
    pub ended: Option<String>,
}
