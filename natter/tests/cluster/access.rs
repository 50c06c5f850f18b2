//! Every operation and every frame, visited by each role: the expected answer stands in a table, and one without a row fails.
//! Whoever is not in a conversation learns nothing of it, not even that it is there.

mod frames; // what a socket may ask for
mod operations; // what a request may ask for

use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;
use natter_testkit::{Cluster, Room, User, text};

const OWNER: usize = 0;
const ADMIN: usize = 1;
const MEMBER: usize = 2;
/// A member whom the owner has blocked.
const BLOCKED: usize = 3;
/// Never was in the group.
const STRANGER: usize = 4;
/// No longer is.
const REMOVED: usize = 5;
/// Nothing is ever called so.
const NOWHERE: &str = "01890000-0000-7000-8000-000000000000";
/// No conversation gets this far here.
const NEVER: u64 = 1_000_000_000;

/// A group, and one of each role to visit it.
struct Roles {
    room: Room,
    people: [User; 6],
    /// An admin and a member to whom things are done, and two users who are not in the group.
    rook: User,
    pawn: User,
    stranger: User,
    bystander: User,
}

/// What a row may name, created again for each visit.
struct Names {
    /// The conversation: the group, or one that does not exist.
    room: Room,
    /// A message of the visitor, if they may write.
    own: u64,
    theirs: u64,
    owner: String,
    /// A session of the owner.
    session: String,
    rook: String,
    pawn: String,
    stranger: String,
    bystander: String,
}

impl Names {
    /// Of nothing that exists, to see what a row asks for.
    fn of_nothing() -> Self {
        let word = || NOWHERE.to_owned();
        Self {
            room: Room { id: word(), head: 1 },
            own: 1,
            theirs: 1,
            owner: word(),
            session: word(),
            rook: word(),
            pawn: word(),
            stranger: word(),
            bystander: word(),
        }
    }
}

impl Roles {
    async fn new(cluster: &Cluster) -> Self {
        let people = [
            cluster.user(0, "owner").await,
            cluster.user(1, "admin").await,
            cluster.user(0, "member").await,
            cluster.user(1, "blocked").await,
            cluster.user(0, "outsider").await,
            cluster.user(1, "removed").await,
        ];
        let (rook, pawn) = (cluster.user(0, "rook").await, cluster.user(1, "pawn").await);
        let (stranger, bystander) = (cluster.user(1, "stranger").await, cluster.user(0, "bystander").await);
        let [owner, admin, member, blocked, _, removed] = &people;
        let room = owner.group(&[admin, member, blocked, removed, &rook, &pawn]).await;
        removed.post_message(&room, "before the removal").await;
        owner.delete(&room.path(&format!("/participants/{}", removed.id))).await.ok(204);
        owner.put(&format!("/api/blocks/{}", blocked.id)).await.ok(204);
        // A session that the owner does without.
        owner.log_in().await;
        let roles = Self { room, people, rook, pawn, stranger, bystander };
        roles.set_role(&roles.people[ADMIN], "admin").await;
        roles.reset().await;
        roles
    }

    async fn set_role(&self, user: &User, role: &str) {
        let path = self.room.path(&format!("/participants/{}", user.id));
        self.people[OWNER].patch(&path, &json!({"role": role})).await.ok(200);
    }

    /// Undoes what a visit may have done.
    async fn reset(&self) {
        let participants = self.room.path("/participants");
        let _ = self.people[OWNER].delete(&format!("{participants}/{}", self.stranger.id)).await;
        let back = json!({"userIds": [self.rook.id, self.pawn.id]});
        self.people[OWNER].post(&participants, &back).await.ok(200);
        self.set_role(&self.rook, "admin").await;
        self.set_role(&self.pawn, "member").await;
    }

    async fn names(&self, who: usize) -> Names {
        let theirs = self.rook.post_message(&self.room, "theirs").await;
        let own =
            if is_outside(who) { theirs } else { self.people[who].post_message(&self.room, "own").await };
        Names {
            room: self.room.clone(),
            own,
            theirs,
            owner: self.people[OWNER].id.clone(),
            session: session_of(&self.people[OWNER]).await,
            rook: self.rook.id.clone(),
            pawn: self.pawn.id.clone(),
            stranger: self.stranger.id.clone(),
            bystander: self.bystander.id.clone(),
        }
    }
}

/// One that its user does without: the present one if there is no other.
async fn session_of(user: &User) -> String {
    let open = user.get("/api/auth/sessions").await.ok(200);
    let sessions = open["items"].as_array().unwrap();
    let spare = sessions.iter().find(|session| session["current"] == false).unwrap_or(&sessions[0]);
    text(&spare["id"])
}

const fn is_outside(who: usize) -> bool {
    who >= STRANGER
}

/// The same, of a conversation that does not exist.
fn nowhere(names: Names) -> Names {
    Names { room: Room { id: NOWHERE.to_owned(), ..names.room.clone() }, ..names }
}

/// What is expected of each role.
#[derive(Clone, Copy)]
enum By<T> {
    /// Of everyone with a token.
    All(T),
    /// Of owner, admin, member (blocked by the owner or not), and whoever is not in the group.
    Group([T; 4]),
    /// Of owner, admin, member, blocked, stranger, removed.
    Each([T; 6]),
}

impl<T: Copy> By<T> {
    fn expected(self, who: usize) -> T {
        match self {
            Self::All(all) => all,
            Self::Group(group) => {
                group[match who {
                    BLOCKED => MEMBER,
                    STRANGER | REMOVED => 3,
                    role => role,
                }]
            }
            Self::Each(each) => each[who],
        }
    }
}

#[tokio::test]
async fn a_resume_of_a_foreign_conversation_is_that_of_a_missing_one() {
    let roles = Roles::new(shared().await).await;
    roles.rook.post_message(&roles.room, "for members only").await;
    let epoch = roles.rook.device("r").await.epoch();
    let positions = json!({roles.room.id.clone(): 0, NOWHERE: 0});
    let mut device = roles.people[STRANGER].resume("d", &epoch, &positions).await;
    assert_eq!(device.call(json!({"type": "resume", "positions": positions})).await["type"], "resume:done");
    for id in [roles.room.id.as_str(), NOWHERE] {
        let about: Vec<_> = device.frames().into_iter().filter(|f| f["conversationId"] == id).collect();
        assert_eq!(about, vec![json!({"type": "conversation:removed", "conversationId": id}); 2]);
    }
}

#[tokio::test]
async fn in_a_direct_conversation_both_have_one_role() {
    let cluster = shared().await;
    let (alice, bob, eve) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(0, "eve").await);
    let room = alice.direct(&bob).await;
    let theirs = bob.post_message(&room, "theirs").await;
    let calls = [
        (Method::PATCH, room.path(""), Some(json!({"name": "Ours"}))),
        (Method::POST, room.path("/participants"), Some(json!({"userIds": [eve.id]}))),
        (Method::PATCH, room.path(&format!("/participants/{}", bob.id)), Some(json!({"role": "admin"}))),
        (Method::DELETE, room.path(&format!("/participants/{}", bob.id)), None),
        (Method::DELETE, room.path(&format!("/participants/{}", alice.id)), None),
        (Method::DELETE, room.path(&format!("/messages/{theirs}")), None),
    ];
    for (method, path, body) in &calls {
        let answer = alice.call(method.clone(), path, body.as_ref()).await;
        assert_eq!(answer.code(), (403, "forbidden"), "{method} {path}");
        let answer = eve.call(method.clone(), path, body.as_ref()).await;
        assert_eq!(answer.code(), (404, "not_found"), "{method} {path}");
    }
    assert_eq!(alice.conversation(&room).await["participantCount"], 2);
}
