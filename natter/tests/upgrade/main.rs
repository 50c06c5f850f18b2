//! A deployment is replaced process by process while people talk: nothing is lost, nothing comes twice, no one waits long.
//! `NATTER_PREVIOUS` names the program that is replaced (`make test-upgrade`), on SQLite and on CQL; without it, it is this
//! program with other settings, on SQLite.
#![allow(clippy::unwrap_used)]

mod deployment;
mod person;

use std::{
    collections::{BTreeSet, HashMap},
    env,
    sync::Arc,
    time::Duration,
};

use natter_testkit::{User, until};
use parking_lot::Mutex;
use tokio::{
    sync::{Barrier, watch},
    task::JoinSet,
};

use self::{
    deployment::{Deployment, Store, Version},
    person::{Acked, Person, Phase, Posts, Saw},
};

const NATTER: &str = env!("CARGO_BIN_EXE_natter");
const PEOPLE: usize = 8;
const ROOMS: usize = 2;
/// Messages that are acked between two processes that are replaced.
const BETWEEN: usize = 50;
/// Of a client, for an ack or for another socket, what it is asked to wait by `goodbye` included.
const WAIT: Duration = Duration::from_secs(3);

enum Process {
    Worker(usize),
    Edge(usize),
}
use Process::{Edge, Worker};

fn previous(seals: bool) -> Version {
    let program = env::var("NATTER_PREVIOUS").map_or(NATTER, |path| path.leak());
    Version { program, seals }
}

struct Talk {
    people: JoinSet<Saw>,
    phase: watch::Sender<Phase>,
    acked: Acked,
    open: Arc<Mutex<usize>>,
    /// Someone to ask for the history.
    user: User,
}

impl Talk {
    async fn begin(deployment: &Deployment) -> Self {
        let addresses = deployment.balancer.lock().clone();
        let mut users = Vec::new();
        for number in 0..PEOPLE {
            users.push(User::register(addresses.clone(), number % 2, "person").await);
        }
        let mut rooms = Vec::new();
        for _ in 0..ROOMS {
            let room = users[0].group(&users[1..].iter().collect::<Vec<_>>()).await;
            rooms.push((room.id.clone(), room.head));
        }
        let (phase, _) = watch::channel(Phase::Talk);
        let (acked, open) = (Acked::default(), Arc::default());
        let (mut people, all) = (JoinSet::new(), Arc::new(Barrier::new(PEOPLE)));
        for (number, user) in users.iter().enumerate() {
            let person = Person::new(number, user, &rooms, &deployment.balancer, &acked, &open);
            people.spawn(person.run(phase.subscribe(), Arc::clone(&all)));
        }
        let talk = Self { people, phase, acked, open, user: users.swap_remove(0) };
        talk.goes_on().await;
        talk
    }

    fn count(&self) -> usize {
        self.acked.lock().values().map(Posts::len).sum()
    }

    async fn goes_on(&self) {
        let before = self.count();
        until("people talk", async || self.count() >= before + BETWEEN).await;
    }

    /// Everything is acked and seen by everyone.
    async fn end(self) -> (HashMap<String, Posts>, Vec<Saw>, User) {
        self.phase.send_replace(Phase::Finish);
        until("every message is acked", async || *self.open.lock() == 0).await;
        let acked = self.acked.lock().clone();
        let heads = acked.iter().map(|(room, posts)| (room.clone(), *posts.last_key_value().unwrap().0));
        self.phase.send_replace(Phase::Heads(heads.collect()));
        (acked, self.people.join_all().await, self.user)
    }
}

fn stores() -> &'static [Store] {
    let all = &[Store::Sqlite, Store::Cql];
    if env::var_os("NATTER_PREVIOUS").is_some() { all } else { &all[..1] }
}

/// Replaces processes in this order, on each kind of store.
async fn upgrade(old: Version, new: Version, order: &[Process; 4]) {
    for store in stores() {
        upgrade_on(*store, old, new, order).await;
    }
}

#[expect(clippy::print_stdout, reason = "the figures of a run are shown by `make test-upgrade`")]
async fn upgrade_on(store: Store, old: Version, new: Version, order: &[Process; 4]) {
    let mut deployment = Deployment::start(old, store).await;
    let talk = Talk::begin(&deployment).await;
    deployment.prepare(new);
    for process in order {
        match process {
            Worker(number) => deployment.replace_worker(*number).await,
            Edge(number) => deployment.replace_edge(*number).await,
        }
        talk.goes_on().await;
    }
    let (acked, people, user) = talk.end().await;

    let total: usize = acked.values().map(Posts::len).sum();
    for saw in &people {
        same(&saw.posts, &acked, "what a person saw");
        assert!(saw.longest < WAIT, "a client waited for {:?}", saw.longest);
        assert!(saw.sockets > 1, "every edge was replaced");
    }
    let user = user.at_addresses(deployment.balancer.lock().clone());
    same(&history(&user, &acked).await, &acked, "history");
    until("everything is persisted", async || deployment.is_verified().await).await;
    if store == Store::Sqlite {
        assert_eq!(deployment.cluster.persisted(), i64::try_from(total).unwrap(), "persisted once");
    }
    same(&history(&user, &acked).await, &acked, "history, from the store");
    let longest = people.iter().map(|saw| saw.longest).max().unwrap();
    println!("{store:?}: {total} messages of {} people, the longest wait {longest:?}", people.len());
    assert_eq!(deployment.misunderstandings(), Vec::<String>::new());
}

/// Every message that was acked, with its text, and no other.
#[track_caller]
fn same(found: &HashMap<String, Posts>, acked: &HashMap<String, Posts>, what: &str) {
    let list = |rooms: &HashMap<String, Posts>| -> BTreeSet<(String, u64, String)> {
        let posts = rooms.iter().flat_map(|(room, posts)| posts.iter().map(move |post| (room, post)));
        posts.map(|(room, (seq, text))| (room.clone(), *seq, text.clone())).collect()
    };
    let (found, acked) = (list(found), list(acked));
    let lost: Vec<_> = acked.difference(&found).take(3).collect();
    let strange: Vec<_> = found.difference(&acked).take(3).collect();
    assert!(lost.is_empty() && strange.is_empty(), "{what}: without {lost:?}, but with {strange:?}");
}

async fn history(user: &User, acked: &HashMap<String, Posts>) -> HashMap<String, Posts> {
    let mut rooms = HashMap::new();
    for room in acked.keys() {
        rooms.insert(room.clone(), pages(user, room).await);
    }
    rooms
}

async fn pages(user: &User, room: &str) -> Posts {
    let mut posts = Posts::new();
    loop {
        let after = posts.last_key_value().map_or(0, |(seq, _)| *seq);
        let page =
            user.get(&format!("/api/messages?conversationId={room}&after={after}&limit=100")).await.ok(200);
        for message in page["items"].as_array().unwrap() {
            let content = message["content"].as_str().unwrap_or_default().to_owned();
            posts.insert(message["seq"].as_u64().unwrap(), content);
        }
        if page["hasMore"] == false {
            return posts;
        }
    }
}

#[tokio::test]
async fn workers_then_edges_are_replaced_while_people_talk() {
    let new = Version { program: NATTER, seals: true };
    upgrade(previous(false), new, &[Worker(0), Worker(1), Edge(0), Edge(1)]).await;
}

#[tokio::test]
async fn edges_then_workers_are_replaced_while_people_talk() {
    let new = Version { program: NATTER, seals: false };
    upgrade(previous(true), new, &[Edge(0), Edge(1), Worker(0), Worker(1)]).await;
}
