//! Who a crowd is: people who talk, and, where a scenario has them, sockets that only listen, a client that sleeps, and
//! guests who come and go.

use std::{collections::BTreeMap, iter, time::Duration};

use futures_util::{StreamExt, future::join_all, stream};
use natter_testkit::{Room, User};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::{
    changes::{Changes, Guest},
    client::{Client, Order, State},
    crowd::{Crowd, Person, SETTLES_WITHIN},
    recorder::Recorder,
    scenario::Scenario,
};
use crate::log::Seq;

const PEOPLE: usize = 12;
/// So many that a device that was away for ten seconds misses less of each than is sent on again.
const ROOMS: usize = 24;
/// Who is in a room, by how far they are from who opened it: two people of each edge.
const MEMBERS: [usize; 4] = [0, 1, 3, 6];
/// The first of these read its history in the end, one by way of each edge.
const READERS: usize = 2;
const GUESTS: usize = 4;
/// Of one user that only listens: half of what one edge allows.
const SOCKETS: usize = 25;
/// Accounts are made so many at once: a password takes the time of a core.
const AT_ONCE: usize = 4;

/// What is being gathered.
struct Gathering {
    edges: Vec<String>,
    recorder: Recorder,
    orders: watch::Receiver<Order>,
    devices: Vec<watch::Receiver<State>>,
    tasks: JoinSet<()>,
}

impl Crowd {
    /// People who share rooms, over all edges, each with a connected device, and whom the scenario wants beside.
    pub async fn gather(edges: &[String], scenario: &Scenario) -> Self {
        let (orders, heard) = watch::channel(Order::Listen);
        let (devices, tasks) = Default::default();
        let mut all =
            Gathering { edges: edges.to_vec(), recorder: Recorder::new(), orders: heard, devices, tasks };
        let users = all.register(0..PEOPLE, "person").await;
        let first = PEOPLE..PEOPLE + scenario.sockets.div_ceil(SOCKETS);
        let listeners = all.register(first, "listener").await;
        let guests =
            if scenario.changes_access { all.register(0..GUESTS, "guest").await } else { Vec::new() };
        let opened = join_all((0..ROOMS).map(|number| open(&users, &listeners, number))).await;
        let mut people = Vec::new();
        for (number, user) in users.iter().enumerate() {
            let rooms = rooms_of(number, MEMBERS.len(), &opened).collect();
            let reads = rooms_of(number, READERS, &opened).collect();
            people.push(Person { rooms, reads, ..Person::of(user, all.edges_of(number)) });
        }
        for (number, person) in people.iter().enumerate() {
            all.join(person, &format!("d{number}"), |client| client);
        }
        for (number, user) in listeners.iter().enumerate() {
            let rooms = BTreeMap::from([opened[number % ROOMS].clone()]);
            let person = Person { rooms, ..Person::of(user, all.edges_of(number)) };
            let sockets = scenario.sockets.saturating_sub(number * SOCKETS).min(SOCKETS);
            for socket in 0..sockets {
                all.join(&person, &format!("l{number}-{socket}"), Client::that_listens);
            }
        }
        if let Some(time) = scenario.sleeps {
            all.join(&people[0], "sleeper", |client| client.that_sleeps(time));
        }
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build();
        let http = http.expect("a client without options");
        let mut changes = Vec::new();
        for (number, guest) in guests.iter().enumerate() {
            let (host, room) = (&users[number], opened[number].0.clone());
            let direct = host.direct(guest).await;
            people[number].reads.push((direct.id.clone(), direct.head));
            let person = Person::of(guest, all.edges_of(number + 1));
            let state = all.join(&person, &format!("g{number}"), Client::that_listens);
            changes.push(Guest { number, person, state, host: people[number].clone(), room, direct });
        }
        all.connected().await;
        let changes = Changes::new(changes, all.recorder.clone(), http.clone(), all.orders.clone());
        let pace = Duration::from_secs(1) * u32::try_from(PEOPLE).unwrap_or(1) / scenario.rate;
        let Gathering { recorder, devices, tasks, .. } = all;
        Self { people, devices, http, recorder, pace, orders, tasks, changes }
    }
}

impl Gathering {
    async fn register(&self, numbers: std::ops::Range<usize>, name: &str) -> Vec<User> {
        let addresses: Vec<String> = self.edges.iter().map(|edge| format!("http://{edge}")).collect();
        let register = |number: usize| User::register(addresses.clone(), number % addresses.len(), name);
        stream::iter(numbers.map(register)).buffered(AT_ONCE).collect().await
    }

    /// Its own first.
    fn edges_of(&self, number: usize) -> Vec<String> {
        let mut edges = self.edges.clone();
        edges.rotate_left(number % self.edges.len());
        edges
    }

    fn join(
        &mut self,
        person: &Person,
        device: &str,
        kind: impl FnOnce(Client) -> Client,
    ) -> watch::Sender<State> {
        let who = [person.id.clone(), device.to_owned(), person.token.clone()];
        let edges = person.edges.clone();
        let client = Client::new(who, edges, &person.rooms, self.recorder.clone(), self.orders.clone());
        let state = client.state.clone();
        self.devices.push(state.subscribe());
        self.tasks.spawn(kind(client).run());
        state
    }

    async fn connected(&mut self) {
        for device in &mut self.devices {
            let connected = device.wait_for(|state| state.connects > 0);
            let connected = timeout(SETTLES_WITHIN, connected).await.expect("every device connects");
            drop(connected.expect("the client runs"));
        }
    }
}

/// Where someone is among the first of the members.
fn rooms_of(
    number: usize,
    members: usize,
    rooms: &[(String, Seq)],
) -> impl Iterator<Item = (String, Seq)> + '_ {
    let within =
        move |room: &usize| MEMBERS[..members].iter().any(|member| (room + member) % PEOPLE == number);
    (0..ROOMS).filter(within).map(move |room| rooms[room].clone())
}

/// The room of this number, and where it begins.
async fn open(users: &[User], listeners: &[User], number: usize) -> (String, Seq) {
    let [opener, others @ ..] = MEMBERS.map(|member| &users[(number + member) % PEOPLE]);
    let listening = iter::successors(Some(number), |listener| Some(listener + ROOMS));
    let listening = listening.map_while(|listener| listeners.get(listener));
    let others: Vec<&User> = others.into_iter().chain(listening).collect();
    let Room { id, head } = opener.group(&others).await;
    (id, head)
}
