//! All clients of a run, and when they have everything.

use std::{collections::BTreeMap, time::Duration};

use natter_testkit::User;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    changes::Changes,
    client::{Order, State},
    recorder::Recorder,
};
use crate::log::{Line, Micros, Record, Seq};

/// For everything to be shown to everyone once nothing is broken: what a client waits between attempts is part of it.
pub const SETTLES_WITHIN: Duration = Duration::from_secs(90);
pub const LOOK: Duration = Duration::from_millis(50);

pub struct Crowd {
    pub people: Vec<Person>,
    /// Of every client, those of people among them.
    pub devices: Vec<watch::Receiver<State>>,
    pub http: reqwest::Client,
    pub recorder: Recorder,
    /// Between two messages of one client.
    pub pace: Duration,
    pub orders: watch::Sender<Order>,
    pub tasks: JoinSet<()>,
    pub changes: Changes,
}

#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub token: String,
    /// Its own edge first.
    pub edges: Vec<String>,
    /// That it follows, with the position at which it came into each.
    pub rooms: BTreeMap<String, Seq>,
    /// Whose history it reads in the end.
    pub reads: Vec<(String, Seq)>,
}

impl Person {
    pub fn of(user: &User, edges: Vec<String>) -> Self {
        let (id, token) = (user.id.clone(), user.token.clone());
        Self { id, token, edges, rooms: BTreeMap::new(), reads: Vec::new() }
    }
}

impl Crowd {
    pub fn now(&self) -> Micros {
        self.recorder.now()
    }

    pub fn send(&mut self) {
        self.orders.send_replace(Order::Send(self.pace));
        self.changes.begin();
    }

    /// Nothing new is sent; what was sent is answered and shown to everyone, or the time is over. Clients that ended are
    /// named.
    pub async fn settle(&mut self) -> Vec<String> {
        self.rest().await;
        self.recorder.record(Record::Settled);
        let ended = self.devices.iter().filter_map(|device| device.borrow().ended.clone());
        ended.map(|why| format!("a client that can go on: {why}")).collect()
    }

    /// The same, before more is sent.
    pub async fn rest(&mut self) {
        self.orders.send_replace(Order::Listen);
        self.changes.end().await;
        let deadline = Instant::now() + SETTLES_WITHIN;
        while !self.is_settled() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
    }

    /// Every client rests where the others are, at the newest ack of each room or above.
    fn is_settled(&self) -> bool {
        let states: Vec<State> = self.devices.iter().map(|device| device.borrow().clone()).collect();
        let mut newest = self.recorder.acked();
        for (room, at) in states.iter().flat_map(|state| &state.positions) {
            let head = newest.entry(room.clone()).or_default();
            *head = (*head).max(*at);
        }
        let same = |state: &State| state.positions.iter().all(|(room, at)| newest.get(room) == Some(at));
        let rests = |state: &State| state.follows == Some(Order::Listen) && state.waiting == 0 && same(state);
        states.iter().all(|state| state.ended.is_some() || rests(state)) && self.recorder.has_all_receipts()
    }

    /// Every client stops; what all of them wrote down.
    pub async fn end(self) -> Vec<Line> {
        self.orders.send_replace(Order::Stop);
        self.tasks.join_all().await;
        self.recorder.take()
    }
}
