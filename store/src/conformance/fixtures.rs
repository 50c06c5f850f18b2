//! Users and conversations for tests.

use std::sync::atomic::{AtomicU16, Ordering};

use natter_schemas::{
    event::{Body, Event, Kind, LogEntry, Member, Role, Shape, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, UserId},
    rpc::User,
};

use crate::{AddUser, Store};

/// A name that no other test uses.
pub fn unique_name() -> String {
    let id = UserId::fresh().to_string();
    format!("w{}", &id[24..])
}

pub fn user(username: &str) -> User {
    User {
        id: UserId::fresh(),
        username: username.to_owned(),
        email: format!("{username}@example.org"),
        display_name: username.to_owned(),
        created_at: Timestamp(1_764_000_000_123),
    }
}

/// One that no other test of this process has, so that tests that share a store do not meet in `highest`.
pub fn partition() -> Partition {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    Partition(NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn plain(text: &str) -> Body {
    Body::Plain(text.to_owned())
}

pub fn posted(text: &str) -> Kind {
    Kind::Posted { body: plain(text), reply_to: None }
}

pub fn at(seq: Seq) -> Timestamp {
    Timestamp(1_764_000_000_000 + i64::try_from(seq).unwrap() * 1_000)
}

/// A conversation's log as it is written: seqs rise, not by one.
pub struct SampleLog {
    pub id: ConversationId,
    pub partition: Partition,
    pub owner: UserId,
    pub log: Vec<LogEntry>,
    next: Seq,
}

impl SampleLog {
    /// A group that has been created at seq 10, with its owner and these members.
    pub fn of(others: &[UserId]) -> Self {
        let owner = UserId::fresh();
        let mut sample =
            Self { id: ConversationId::fresh(), partition: partition(), owner, log: Vec::new(), next: 10 };
        let others = others.iter().map(|user| Member { user: *user, role: Role::Member });
        let members = std::iter::once(Member { user: owner, role: Role::Owner }).chain(others).collect();
        sample.add(owner, Kind::Created { shape: Shape::Group, name: Some("room".to_owned()), members });
        sample
    }

    /// A direct conversation that has been created at seq 10, by the first of the two.
    pub fn direct(people: [UserId; 2]) -> Self {
        let mut sample = Self::of(&[]);
        sample.owner = people[0];
        let members = people.map(|user| Member { user, role: Role::Member }).to_vec();
        let created = &mut sample.log[0].event;
        created.author = people[0];
        created.kind = Kind::Created { shape: Shape::Direct, name: None, members };
        sample
    }

    /// Appends an event; returns its seq.
    pub fn add(&mut self, author: UserId, kind: Kind) -> Seq {
        let seq = self.next;
        self.next += 3;
        let event = Event {
            id: EventId::fresh(),
            conversation: self.id,
            author,
            device: "phone".to_owned(),
            client_id: Some(format!("c-{seq}")),
            at: at(seq),
            kind,
            traceparent: None,
        };
        self.log.push(LogEntry { seq, event });
        seq
    }

    /// Later events begin here.
    pub fn skip_to(&mut self, seq: Seq) {
        self.next = seq;
    }

    pub async fn persist(&self, store: &dyn Store) {
        store.persist(self.partition, &self.log).await.unwrap();
    }
}

/// Of every [`added`] user.
pub const PASSWORD_HASH: &str = "$argon2id$hash";

/// A registered user.
pub async fn added(store: &dyn Store, username: &str) -> User {
    let user = user(username);
    assert_eq!(store.add_user(&user, PASSWORD_HASH).await.unwrap(), AddUser::Added);
    user
}
