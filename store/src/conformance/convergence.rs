//! Any order, any repeats, any batches: the rows are the pure fold of the log.

use std::collections::BTreeMap;

use natter_schemas::{
    event::{Kind, LogEntry, Message, Role, Timestamp},
    id::{Seq, UserId},
    rpc::{Membership, Window},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::fixtures::{SampleLog, at, plain, posted};
use crate::Store;

/// Each case is a handful of transactions with their fsyncs: some seconds in all.
const CASES: u32 = 150;
const USERS: usize = 4;
const EMOJI: [&str; 3] = ["👍", "🎉", "🙈"];

/// Numbers are places in lists; a target is the number of an operation, of whatever kind, earlier or later.
#[derive(Debug, Clone)]
pub enum Op {
    Post(usize),
    Edit(usize),
    Delete(usize),
    React { who: usize, target: usize, emoji: usize, on: bool },
    Add(usize, Role),
    Remove(usize),
    ChangeRole(usize, Role),
    Rename(usize),
}

#[derive(Debug, Clone)]
pub struct Case {
    ops: Vec<Op>,
    /// Numbers of events in order of arrival; every event at least once.
    batches: Vec<Vec<usize>>,
}

/// Runs `check` on many cases; panics with the smallest one that fails.
pub fn run(check: impl Fn(&Case)) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&case(), |case| {
        check(&case);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn case() -> impl Strategy<Value = Case> {
    prop::collection::vec(op(), 1..40).prop_flat_map(|ops| {
        let ops = [vec![Op::Post(0), Op::Post(1)], ops].concat();
        // One more for Created.
        let events = ops.len() + 1;
        let repeats = prop::collection::vec(0..events, 0..events);
        let sizes = prop::collection::vec(1..8_usize, 1..8);
        let arrivals = repeats
            .prop_flat_map(move |again| Just((0..events).chain(again).collect::<Vec<_>>()).prop_shuffle());
        (Just(ops), arrivals, sizes)
            .prop_map(|(ops, arrivals, sizes)| Case { ops, batches: cut(&arrivals, &sizes) })
    })
}

fn cut(mut arrivals: &[usize], sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut batches = Vec::new();
    for size in sizes.iter().cycle() {
        if arrivals.is_empty() {
            break;
        }
        let (batch, rest) = arrivals.split_at((*size).min(arrivals.len()));
        batches.push(batch.to_vec());
        arrivals = rest;
    }
    batches
}

fn op() -> impl Strategy<Value = Op> {
    let role = prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)];
    // Mostly the two messages every log begins with, so that operations meet.
    let target = prop_oneof![4 => 0..2_usize, 1 => 2..10_usize];
    let react = (0..USERS, target.clone(), 0..EMOJI.len(), any::<bool>());
    prop_oneof![
        4 => (0..USERS).prop_map(Op::Post),
        3 => target.clone().prop_map(Op::Edit),
        2 => target.prop_map(Op::Delete),
        6 => react.prop_map(|(who, target, emoji, on)| Op::React { who, target, emoji, on }),
        2 => (0..USERS, role.clone()).prop_map(|(who, role)| Op::Add(who, role)),
        2 => (0..USERS).prop_map(Op::Remove),
        2 => (0..USERS, role).prop_map(|(who, role)| Op::ChangeRole(who, role)),
        1 => (0..9_usize).prop_map(Op::Rename),
    ]
}

/// Persists the case's log in its batches and compares every row with the fold.
pub async fn check(store: &dyn Store, case: &Case) {
    let users: Vec<UserId> = (0..USERS).map(|_| UserId::fresh()).collect();
    let sample = log_of(case, &users);
    for batch in &case.batches {
        let events: Vec<LogEntry> = batch.iter().map(|n| sample.log[*n].clone()).collect();
        store.persist(sample.partition, &events).await.unwrap();
    }
    let fold = Fold::of(&sample.log);
    compare_history(store, &sample, &fold).await;
    compare_conversation(store, &sample, &fold).await;
    compare_members(store, &sample, &fold).await;
}

/// The log: one user is a member from the start.
fn log_of(case: &Case, users: &[UserId]) -> SampleLog {
    let mut sample = SampleLog::of(&users[..1]);
    let seq_of = |n: usize| 13 + 3 * u64::try_from(n).unwrap();
    for op in &case.ops {
        let (author, kind) = match *op {
            Op::Post(who) => (users[who], posted("text")),
            Op::Edit(target) => (users[0], Kind::Edited { target: seq_of(target), body: plain("edited") }),
            Op::Delete(target) => (users[0], Kind::Deleted { target: seq_of(target) }),
            Op::React { who, target, emoji, on } => {
                (users[who], Kind::Reacted { target: seq_of(target), emoji: EMOJI[emoji].to_owned(), on })
            }
            Op::Add(who, role) => (sample.owner, Kind::MemberAdded { user: users[who], role }),
            Op::Remove(who) => (sample.owner, Kind::MemberRemoved { user: users[who] }),
            Op::ChangeRole(who, role) => (sample.owner, Kind::RoleChanged { user: users[who], role }),
            Op::Rename(n) => (sample.owner, Kind::Renamed { name: format!("name {n}") }),
        };
        sample.add(author, kind);
    }
    sample
}

struct MemberState {
    role: Option<Role>,
    version: Seq,
    joined_at: Timestamp,
}

/// The log read once, in order.
#[derive(Default)]
struct Fold {
    messages: Vec<Message>,
    members: BTreeMap<UserId, MemberState>,
    reads: BTreeMap<UserId, Seq>,
    name: Option<String>,
    activity: Timestamp,
}

impl Fold {
    fn of(log: &[LogEntry]) -> Self {
        let mut fold = Self::default();
        for logged in log {
            fold.apply(logged);
        }
        fold
    }

    fn apply(&mut self, LogEntry { seq, event }: &LogEntry) {
        self.messages.iter_mut().for_each(|message| message.apply(*seq, event));
        self.messages.extend(Message::posted(*seq, event));
        match &event.kind {
            Kind::Edited { .. } | Kind::Deleted { .. } | Kind::Reacted { .. } => return,
            Kind::Posted { .. } => {
                self.reads.insert(event.author, *seq);
            }
            Kind::MemberAdded { user, role } => {
                self.reads.insert(*user, *seq);
                self.join(*user, *role, *seq, event.at);
            }
            Kind::MemberRemoved { user } => {
                let joined_at = self.members.get(user).map(|state| state.joined_at).unwrap_or_default();
                self.members.insert(*user, MemberState { role: None, version: *seq, joined_at });
            }
            Kind::RoleChanged { user, role } => {
                if let Some(state) = self.members.get_mut(user).filter(|state| state.role.is_some()) {
                    (state.role, state.version) = (Some(*role), *seq);
                }
            }
            Kind::Renamed { name } => self.name = Some(name.clone()),
            Kind::Created { name, members, .. } => {
                self.name.clone_from(name);
                for member in members {
                    self.join(member.user, member.role, *seq, event.at);
                }
            }
        }
        self.activity = event.at;
    }

    fn join(&mut self, user: UserId, role: Role, version: Seq, joined_at: Timestamp) {
        self.members.insert(user, MemberState { role: Some(role), version, joined_at });
    }
}

async fn compare_history(store: &dyn Store, sample: &SampleLog, fold: &Fold) {
    let all = store.messages(sample.id, Window::Newest, Seq::MAX, 100).await.unwrap();
    assert_eq!(all, fold.messages);
    assert_eq!(store.events_from(sample.id, 0, Seq::MAX, 100).await.unwrap(), sample.log);
    for (user, read) in &fold.reads {
        assert_eq!(store.read_mark(sample.id, *user).await.unwrap(), *read);
        let others = fold.messages.iter().filter(|m| m.author != *user && m.deleted_at.is_none());
        let countable: Vec<Seq> = others.map(|m| m.seq).collect();
        assert_eq!(store.countable(sample.id, *user, 0, Seq::MAX, 100).await.unwrap(), countable);
    }
}

async fn compare_conversation(store: &dyn Store, sample: &SampleLog, fold: &Fold) {
    let row = store.conversation(sample.id).await.unwrap().expect("Created has arrived");
    let head = sample.log.last().map_or(0, |last| last.seq);
    assert_eq!((row.head, row.name, row.created_at), (head, fold.name.clone(), at(10)));
    assert_eq!(row.last_activity_at, fold.activity);
    assert_eq!(row.members, fold.members.values().filter(|state| state.role.is_some()).count());
    assert_eq!(store.highest(sample.partition).await.unwrap(), head);
}

async fn compare_members(store: &dyn Store, sample: &SampleLog, fold: &Fold) {
    let mut present = Vec::new();
    for (user, state) in &fold.members {
        let membership = store.membership(sample.id, *user).await.unwrap();
        let Membership { role, version, .. } = membership.expect("was a member once");
        assert_eq!((role, version), (state.role, state.version));
        present.extend(role.map(|role| (state.joined_at, *user, role)));
    }
    let listed = store.members(sample.id).await.unwrap();
    let mut members: Vec<_> = listed.iter().map(|m| (m.joined_at, m.member.user, m.member.role)).collect();
    assert!(members.is_sorted_by_key(|(joined_at, ..)| *joined_at));
    members.sort();
    present.sort();
    assert_eq!(members, present);
}
