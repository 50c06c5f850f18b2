//! Every address and every frame that names a conversation or a message, visited by each role: the expected
//! answer stands in a table. Whoever is not in a conversation learns nothing of it, not even that it is there.

use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;
use natter_testkit::{Cluster, Room, User, kind};

const OWNER: usize = 0;
const ADMIN: usize = 1;
const OUTSIDER: usize = 3;
/// Nothing is ever called so.
const NOWHERE: &str = "01890000-0000-7000-8000-000000000000";
/// No conversation gets this far here.
const NEVER: u64 = 1_000_000_000;

/// A group with one of each; the fourth is not in it.
struct Roles {
    room: Room,
    people: [User; 4],
    /// An admin and a member to whom things are done, a user who is not in the group.
    rook: User,
    pawn: User,
    stranger: User,
}

/// What a row may name, made anew for each visit.
struct Names {
    /// The conversation: the group, or one that does not exist.
    room: Room,
    own: u64,
    theirs: u64,
    owner: String,
    rook: String,
    pawn: String,
    stranger: String,
}

impl Roles {
    async fn new(cluster: &Cluster) -> Self {
        let people = [
            cluster.user(0, "owner").await,
            cluster.user(1, "admin").await,
            cluster.user(0, "member").await,
            cluster.user(1, "outsider").await,
        ];
        let (rook, pawn) = (cluster.user(0, "rook").await, cluster.user(1, "pawn").await);
        let stranger = cluster.user(1, "stranger").await;
        let room = people[OWNER].group(&[&people[ADMIN], &people[2], &rook, &pawn]).await;
        let roles = Self { room, people, rook, pawn, stranger };
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
            if who == OUTSIDER { theirs } else { self.people[who].post_message(&self.room, "own").await };
        Names {
            room: self.room.clone(),
            own,
            theirs,
            owner: self.people[OWNER].id.clone(),
            rook: self.rook.id.clone(),
            pawn: self.pawn.id.clone(),
            stranger: self.stranger.id.clone(),
        }
    }
}

type Call = (Method, String, Option<Value>);
type Row<T> = (&'static str, [T; 4], fn(&Names) -> Call);

/// By owner, admin, member, outsider.
#[rustfmt::skip]
const ADDRESSES: &[Row<u16>] = &[
    ("get it", [200, 200, 200, 404], |n| (Method::GET, n.room.path(""), None)),
    ("rename it", [200, 200, 403, 404], |n| (Method::PATCH, n.room.path(""), Some(json!({"name": "New"})))),
    ("add a user", [200, 200, 403, 404], |n| {
        (Method::POST, n.room.path("/participants"), Some(json!({"userIds": [n.stranger]})))
    }),
    ("add an unknown user", [422, 422, 403, 404], |n| {
        (Method::POST, n.room.path("/participants"), Some(json!({"userIds": [NOWHERE]})))
    }),
    ("promote a member", [200, 403, 403, 404], |n| role(n, &n.pawn, "admin")),
    ("make a member owner and back", [200, 403, 403, 404], |n| role(n, &n.pawn, "member")),
    ("demote an admin", [200, 403, 403, 404], |n| role(n, &n.rook, "member")),
    ("demote the owner", [409, 403, 403, 404], |n| role(n, &n.owner, "member")),
    ("change the role of a stranger", [404, 404, 404, 404], |n| role(n, &n.stranger, "admin")),
    ("a role that is none", [422, 422, 422, 422], |n| role(n, &n.pawn, "emperor")),
    ("remove a member", [204, 204, 403, 404], |n| remove(n, &n.pawn)),
    ("remove an admin", [204, 403, 403, 404], |n| remove(n, &n.rook)),
    ("remove a stranger", [404, 404, 404, 404], |n| remove(n, &n.stranger)),
    ("read its history", [200, 200, 200, 404], |n| {
        (Method::GET, format!("/api/messages?conversationId={}", n.room.id), None)
    }),
    ("post", [201, 201, 201, 404], |n| {
        (Method::POST, "/api/messages".into(), Some(json!({"conversationId": n.room.id, "content": "x"})))
    }),
    ("reply to nothing", [422, 422, 422, 404], |n| {
        let body = json!({"conversationId": n.room.id, "content": "x", "replyTo": NEVER});
        (Method::POST, "/api/messages".into(), Some(body))
    }),
    ("mark it read", [200, 200, 200, 404], |n| {
        (Method::POST, "/api/messages/read".into(), Some(json!({"conversationId": n.room.id, "seq": n.theirs})))
    }),
    ("read a message", [200, 200, 200, 404], |n| (Method::GET, message(n, n.theirs), None)),
    ("read nothing", [404, 404, 404, 404], |n| (Method::GET, message(n, NEVER), None)),
    ("edit one's own", [200, 200, 200, 404], |n| edit(n, n.own)),
    ("edit another's", [403, 403, 403, 404], |n| edit(n, n.theirs)),
    ("edit nothing", [404, 404, 404, 404], |n| edit(n, NEVER)),
    ("edit what is no message", [404, 404, 404, 404], |n| edit(n, n.room.head)),
    ("delete one's own", [204, 204, 204, 404], |n| (Method::DELETE, message(n, n.own), None)),
    ("delete another's", [204, 204, 403, 404], |n| (Method::DELETE, message(n, n.theirs), None)),
    ("delete nothing", [404, 404, 404, 404], |n| (Method::DELETE, message(n, NEVER), None)),
    ("react", [204, 204, 204, 404], |n| (Method::PUT, message(n, n.theirs) + "/reactions/%E2%9C%85", None)),
    ("react no more", [204, 204, 204, 404], |n| {
        (Method::DELETE, message(n, n.theirs) + "/reactions/%E2%9C%85", None)
    }),
    ("react to nothing", [404, 404, 404, 404], |n| {
        (Method::PUT, message(n, NEVER) + "/reactions/%E2%9C%85", None)
    }),
];

fn role(names: &Names, user: &str, role: &str) -> Call {
    let path = names.room.path(&format!("/participants/{user}"));
    (Method::PATCH, path, Some(json!({"role": role})))
}

fn remove(names: &Names, user: &str) -> Call {
    (Method::DELETE, names.room.path(&format!("/participants/{user}")), None)
}

fn message(names: &Names, seq: u64) -> String {
    names.room.path(&format!("/messages/{seq}"))
}

fn edit(names: &Names, seq: u64) -> Call {
    (Method::PATCH, message(names, seq), Some(json!({"content": "edited"})))
}

/// What two answers may differ in.
fn without_request(mut body: Value) -> Value {
    if let Some(body) = body.as_object_mut() {
        body.remove("requestId");
    }
    body
}

#[tokio::test]
async fn every_address_answers_by_the_table() {
    let roles = Roles::new(shared().await).await;
    for (what, expected, call) in ADDRESSES {
        for (who, expected) in expected.iter().enumerate() {
            let names = roles.names(who).await;
            let (method, path, body) = call(&names);
            let answer = roles.people[who].call(method, &path, body.as_ref()).await;
            assert_eq!(answer.status, *expected, "{what}, by {who}: {}", answer.body);
            if who == OUTSIDER {
                let nowhere = Names { room: Room { id: NOWHERE.to_owned(), ..names.room.clone() }, ..names };
                let (method, path, body) = call(&nowhere);
                let other = roles.people[who].at(0).call(method, &path, body.as_ref()).await;
                assert_eq!(other.status, answer.status, "{what}: it shows that the conversation exists");
                assert_eq!(without_request(other.body), without_request(answer.body), "{what}");
            }
            roles.reset().await;
        }
    }
}

type Ask = fn(&Names) -> Value;

/// By owner, admin, member, outsider: the type of the answer, or the code of the refusal.
#[rustfmt::skip]
const FRAMES: &[(&str, [&str; 4], Ask)] = &[
    ("send", ["ack", "ack", "ack", "not_found"], |n| {
        n.room.frame("send", &json!({"content": "x", "clientId": format!("c{}", n.own)}))
    }),
    ("reply", ["ack", "ack", "ack", "not_found"], |n| {
        n.room.frame("send", &json!({"content": "x", "clientId": format!("r{}", n.own), "replyTo": n.theirs}))
    }),
    ("reply to nothing", ["invalid", "invalid", "invalid", "not_found"], |n| {
        n.room.frame("send", &json!({"content": "x", "clientId": "n", "replyTo": NEVER}))
    }),
    ("edit one's own", ["ack", "ack", "ack", "not_found"], |n| {
        n.room.frame("edit", &json!({"seq": n.own, "content": "x"}))
    }),
    ("edit another's", ["forbidden", "forbidden", "forbidden", "not_found"], |n| {
        n.room.frame("edit", &json!({"seq": n.theirs, "content": "x"}))
    }),
    ("edit nothing", ["not_found", "not_found", "not_found", "not_found"], |n| {
        n.room.frame("edit", &json!({"seq": NEVER, "content": "x"}))
    }),
    ("delete one's own", ["ack", "ack", "ack", "not_found"], |n| n.room.frame("delete", &json!({"seq": n.own}))),
    ("delete another's", ["ack", "ack", "forbidden", "not_found"], |n| {
        n.room.frame("delete", &json!({"seq": n.theirs}))
    }),
    ("react", ["ack", "ack", "ack", "not_found"], |n| {
        n.room.frame("react", &json!({"seq": n.theirs, "emoji": "👍", "on": true}))
    }),
    ("react with words", ["invalid", "invalid", "invalid", "invalid"], |n| {
        n.room.frame("react", &json!({"seq": n.theirs, "emoji": "yes", "on": true}))
    }),
    ("react to nothing", ["not_found", "not_found", "not_found", "not_found"], |n| {
        n.room.frame("react", &json!({"seq": n.room.head, "emoji": "👍", "on": true}))
    }),
    ("read", ["read:ack", "read:ack", "read:ack", "not_found"], |n| n.room.frame("read", &json!({"seq": n.theirs}))),
    ("join", ["joined", "joined", "joined", "not_found"], |n| n.room.frame("join", &json!({}))),
    ("leave", ["ack", "ack", "ack", "ack"], |n| n.room.frame("leave", &json!({}))),
];

/// The answer's type or code, and all of it but its id.
fn said(mut answer: Value) -> (String, Value) {
    let word = if kind(&answer) == "error" { &answer["code"] } else { &answer["type"] };
    let word = word.as_str().unwrap().to_owned();
    answer.as_object_mut().unwrap().remove("id");
    (word, answer)
}

#[tokio::test]
async fn every_frame_is_answered_by_the_table() {
    let roles = Roles::new(shared().await).await;
    for (who, user) in roles.people.iter().enumerate() {
        let mut device = user.device("d").await;
        for (what, expected, frame) in FRAMES {
            let names = roles.names(who).await;
            let (word, answer) = said(device.call(frame(&names)).await);
            assert_eq!(word, expected[who], "{what}, by {who}: {answer}");
            if who == OUTSIDER {
                let nowhere = Names { room: Room { id: NOWHERE.to_owned(), ..names.room.clone() }, ..names };
                assert_eq!(said(device.call(frame(&nowhere)).await).1, answer, "{what} shows that it exists");
            }
        }
    }
}

#[tokio::test]
async fn a_resume_of_a_foreign_conversation_is_that_of_a_missing_one() {
    let roles = Roles::new(shared().await).await;
    roles.rook.post_message(&roles.room, "for members only").await;
    let epoch = roles.rook.device("r").await.epoch();
    let positions = json!({roles.room.id.clone(): 0, NOWHERE: 0});
    let mut device = roles.people[OUTSIDER].resume("d", &epoch, &positions).await;
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
    let calls: [Call; 6] = [
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

#[tokio::test]
async fn nothing_is_answered_without_a_token_or_with_another_secrets() {
    let cluster = shared().await;
    let alice = cluster.user(0, "alice").await;
    let id = &alice.id;
    // Of another deployment: {"iss":"natter", …} signed with another secret.
    let forged = alice.token.rsplit_once('.').unwrap().0.to_owned() + "." + &"A".repeat(43);
    let calls = [
        (Method::GET, "/api/me".to_owned()),
        (Method::PATCH, "/api/me".to_owned()),
        (Method::POST, "/api/me/password".to_owned()),
        (Method::POST, "/api/auth/logout".to_owned()),
        (Method::POST, "/api/auth/logout-all".to_owned()),
        (Method::GET, "/api/auth/sessions".to_owned()),
        (Method::DELETE, format!("/api/auth/sessions/{NOWHERE}")),
        (Method::GET, "/api/users?query=al".to_owned()),
        (Method::GET, format!("/api/users/{id}")),
        (Method::GET, "/api/conversations".to_owned()),
        (Method::POST, "/api/conversations".to_owned()),
        (Method::GET, format!("/api/conversations/{NOWHERE}")),
        (Method::PATCH, format!("/api/conversations/{NOWHERE}")),
        (Method::GET, format!("/api/conversations/{NOWHERE}/participants")),
        (Method::POST, format!("/api/conversations/{NOWHERE}/participants")),
        (Method::PATCH, format!("/api/conversations/{NOWHERE}/participants/{id}")),
        (Method::DELETE, format!("/api/conversations/{NOWHERE}/participants/{id}")),
        (Method::GET, format!("/api/conversations/{NOWHERE}/messages/1")),
        (Method::PATCH, format!("/api/conversations/{NOWHERE}/messages/1")),
        (Method::DELETE, format!("/api/conversations/{NOWHERE}/messages/1")),
        (Method::GET, format!("/api/conversations/{NOWHERE}/messages/1/reactions/%E2%9C%85")),
        (Method::PUT, format!("/api/conversations/{NOWHERE}/messages/1/reactions/%E2%9C%85")),
        (Method::DELETE, format!("/api/conversations/{NOWHERE}/messages/1/reactions/%E2%9C%85")),
        (Method::GET, format!("/api/messages?conversationId={NOWHERE}")),
        (Method::POST, "/api/messages".to_owned()),
        (Method::POST, "/api/messages/read".to_owned()),
        (Method::GET, "/api/inbox".to_owned()),
        (Method::GET, "/api/blocks".to_owned()),
        (Method::PUT, format!("/api/blocks/{id}")),
        (Method::DELETE, format!("/api/blocks/{id}")),
        (Method::POST, "/api/presence/heartbeat".to_owned()),
        (Method::GET, format!("/api/presence/status/{id}")),
        (Method::POST, "/api/presence/status/batch".to_owned()),
    ];
    for token in [String::new(), forged, "nonsense".to_owned()] {
        let refused = alice.with_token(token);
        for (method, path) in &calls {
            for edge in [0, 1] {
                let answer = refused.at(edge).call(method.clone(), path, None).await;
                assert_eq!(answer.code(), (401, "unauthenticated"), "{method} {path}");
            }
        }
    }
}
