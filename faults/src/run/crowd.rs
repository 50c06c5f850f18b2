//! All clients of a run, and what they are shown in the end.

use std::{collections::BTreeMap, time::Duration};

use natter_testkit::User;
use reqwest::Method;
use serde_json::Value;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    client::{Client, Order, State, row},
    recorder::Recorder,
};
use crate::log::{Line, Micros, Record, Seq};

const PEOPLE: usize = 6;
const ROOMS: usize = 3;
/// Between two messages of one client.
const PACE: Duration = Duration::from_millis(100);
/// For everything to be shown to everyone once nothing is broken: what a client waits between attempts is part of it.
const SETTLES_WITHIN: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(50);

pub struct Crowd {
    people: Vec<Person>,
    rooms: BTreeMap<String, Seq>,
    recorder: Recorder,
    orders: watch::Sender<Order>,
    tasks: JoinSet<()>,
}

struct Person {
    id: String,
    token: String,
    /// Its own edge first.
    edges: Vec<String>,
    state: watch::Receiver<State>,
}

impl Crowd {
    /// People who share rooms, over all edges, each with a connected device.
    pub async fn gather(edges: &[String]) -> Self {
        let recorder = Recorder::new();
        let addresses: Vec<String> = edges.iter().map(|edge| format!("http://{edge}")).collect();
        let mut users = Vec::new();
        for number in 0..PEOPLE {
            users.push(User::register(addresses.clone(), number % edges.len(), "person").await);
        }
        let mut rooms = BTreeMap::new();
        for opener in &users[..ROOMS] {
            let others: Vec<&User> = users.iter().filter(|user| user.id != opener.id).collect();
            let room = opener.group(&others).await;
            rooms.insert(room.id, room.head);
        }
        let (orders, heard) = watch::channel(Order::Listen);
        let (mut people, mut tasks) = (Vec::new(), JoinSet::new());
        let count = edges.len();
        for (number, user) in users.into_iter().enumerate() {
            let mut edges = edges.to_vec();
            edges.rotate_left(number % count);
            let who = [user.id.clone(), format!("d{number}"), user.token.clone()];
            let client = Client::new(who, edges.clone(), &rooms, recorder.clone(), heard.clone());
            let state = client.state.subscribe();
            people.push(Person { id: user.id, token: user.token, edges, state });
            tasks.spawn(client.run());
        }
        let mut crowd = Self { people, rooms, recorder, orders, tasks };
        for person in &mut crowd.people {
            let connected = person.state.wait_for(|state| state.connects > 0);
            let connected = timeout(SETTLES_WITHIN, connected).await.expect("every device connects");
            drop(connected.expect("the client runs"));
        }
        crowd
    }

    pub fn now(&self) -> Micros {
        self.recorder.now()
    }

    pub fn send(&self) {
        self.orders.send_replace(Order::Send(PACE));
    }

    /// Nothing new is sent; what was sent is answered and shown to everyone, or the time is over.
    pub async fn settle(&self) {
        self.orders.send_replace(Order::Listen);
        let deadline = Instant::now() + SETTLES_WITHIN;
        while !self.is_settled() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        for person in &self.people {
            let ended = person.state.borrow().ended.clone();
            assert!(ended.is_none(), "a client cannot go on: {}", ended.unwrap_or_default());
        }
        self.recorder.record(Record::Settled);
    }

    fn is_settled(&self) -> bool {
        let states: Vec<State> = self.people.iter().map(|person| person.state.borrow().clone()).collect();
        let newest = |room: &String| states.iter().filter_map(|state| state.positions.get(room)).max();
        let same = |state: &State| state.positions.iter().all(|(room, at)| Some(at) == newest(room));
        let rests = |state: &State| state.follows == Some(Order::Listen) && state.waiting == 0 && same(state);
        states.iter().all(|state| state.ended.is_some() || rests(state)) && self.acked_is_shown(&states)
    }

    /// The newest ack of each room is not above what a device was shown.
    fn acked_is_shown(&self, states: &[State]) -> bool {
        let mut acked: BTreeMap<String, Seq> = BTreeMap::new();
        for line in self.recorder.lines() {
            if let Record::Ack { room, seq, .. } = line.record {
                let newest = acked.entry(room).or_default();
                *newest = seq.max(*newest);
            }
        }
        let shown = |room: &String, seq| states.iter().all(|state| state.positions.get(room) >= Some(seq));
        acked.iter().all(|(room, seq)| shown(room, seq))
    }

    /// Everything that can be looked at: history by way of each edge, unread counts of each user, presence.
    pub async fn look(&self) {
        for (person, (room, head)) in self.people.iter().zip(self.rooms.iter().cycle()) {
            self.pages(person, room, *head).await;
        }
        for person in &self.people {
            for room in self.rooms.keys() {
                let seen = self.get(person, &format!("/api/conversations/{room}")).await;
                let number = |name: &str| seen[name].as_u64().unwrap_or(0);
                let (user, room) = (person.id.clone(), room.clone());
                let (read, count) = (number("readSeq"), number("unreadCount"));
                self.recorder.record(Record::Unread { user, room, read, count });
            }
        }
        for (person, other) in self.people.iter().zip(self.people.iter().cycle().skip(1)) {
            let asked = self.now();
            let status = self.get(person, &format!("/api/presence/status/{}", other.id)).await;
            let online = status["status"] == "online";
            self.recorder.record(Record::Presence { user: other.id.clone(), asked, online });
        }
    }

    async fn pages(&self, person: &Person, room: &str, head: Seq) {
        let mut after = head;
        loop {
            let asked = self.now();
            let path = format!("/api/messages?conversationId={room}&after={after}&limit=100");
            let page = self.get(person, &path).await;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            let rows: Vec<_> = items.iter().map(row).collect();
            let more = page["hasMore"] == true;
            let last = rows.last().map_or(after, |row| row.seq);
            let to = if more { last } else { page["headSeq"].as_u64().unwrap_or(last) };
            let (user, room) = (person.id.clone(), room.to_owned());
            self.recorder.record(Record::Page { user, room, asked, after, to, rows });
            if !more {
                return;
            }
            after = last;
        }
    }

    /// The first answer, from any edge; after a fault there may be none for a moment.
    async fn get(&self, person: &Person, path: &str) -> Value {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build();
        let http = http.expect("a client without options");
        let deadline = Instant::now() + SETTLES_WITHIN;
        let mut last = String::new();
        for edge in person.edges.iter().cycle() {
            let request = http.request(Method::GET, format!("http://{edge}{path}"));
            match request.bearer_auth(&person.token).send().await {
                Ok(answer) if answer.status().is_success() => {
                    if let Ok(body) = answer.json().await {
                        return body;
                    }
                }
                Ok(answer) => last = answer.status().to_string(),
                Err(error) => last = error.to_string(),
            }
            assert!(
                Instant::now() < deadline,
                "{path} is not answered {SETTLES_WITHIN:?} after the fault: {last}"
            );
            sleep(LOOK).await;
        }
        unreachable!("there is an edge")
    }

    /// Every client stops; what all of them wrote down.
    pub async fn end(self) -> Vec<Line> {
        self.orders.send_replace(Order::Stop);
        self.tasks.join_all().await;
        self.recorder.lines()
    }
}
