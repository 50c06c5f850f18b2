//! Operations of `docs/openapi.json`.

use natter_schemas::id::UserId;

use super::{
    By::{self, All, Each, Group},
    *,
};

type Call = (Method, String, Option<Value>);
/// What is done, what is expected, how it is asked for.
type Row = (&'static str, By<u16>, fn(&Names) -> Call);

/// Without a token; what they answer does not depend on who asks.
const PUBLIC: &[(&str, &str)] = &[
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/api/asyncapi.json"),
    ("POST", "/api/auth/email-change/confirm"),
    ("POST", "/api/auth/login"),
    ("GET", "/api/auth/oidc/callback"),
    ("GET", "/api/auth/oidc/start"),
    ("GET", "/api/auth/options"),
    ("POST", "/api/auth/password-reset"),
    ("POST", "/api/auth/password-reset/confirm"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/register"),
    ("GET", "/api/demo"),
    ("GET", "/api/openapi.json"),
    ("GET", "/health"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/ws"),
];

/// They end what the caller visits with, and name nothing: visited with a session or an account of their own, elsewhere.
const ENDING: &[(&str, &str)] =
    &[("POST", "/api/auth/logout"), ("POST", "/api/auth/logout-all"), ("DELETE", "/api/me")];

#[rustfmt::skip]
const OPERATIONS: &[Row] = &[
    ("get it", Group([200, 200, 200, 404]), |n| (Method::GET, n.room.path(""), None)),
    ("list its members", Group([200, 200, 200, 404]), |n| (Method::GET, n.room.path("/participants"), None)),
    ("rename it", Group([200, 200, 403, 404]), |n| (Method::PATCH, n.room.path(""), Some(json!({"name": "New"})))),
    ("add a user", Group([200, 200, 403, 404]), |n| {
        (Method::POST, n.room.path("/participants"), Some(json!({"userIds": [n.stranger]})))
    }),
    ("add an unknown user", Group([422, 422, 403, 404]), |n| {
        (Method::POST, n.room.path("/participants"), Some(json!({"userIds": [NOWHERE]})))
    }),
    ("promote a member", Group([200, 403, 403, 404]), |n| role(n, &n.pawn, "admin")),
    ("make a member owner and back", Group([200, 403, 403, 404]), |n| role(n, &n.pawn, "member")),
    ("demote an admin", Group([200, 403, 403, 404]), |n| role(n, &n.rook, "member")),
    ("demote the owner", Group([409, 403, 403, 404]), |n| role(n, &n.owner, "member")),
    ("change the role of a stranger", Group([404, 404, 404, 404]), |n| role(n, &n.stranger, "admin")),
    ("a role that is none", Group([422, 422, 422, 422]), |n| role(n, &n.pawn, "emperor")),
    ("remove a member", Group([204, 204, 403, 404]), |n| remove(n, &n.pawn)),
    ("remove an admin", Group([204, 403, 403, 404]), |n| remove(n, &n.rook)),
    ("remove a stranger", Group([404, 404, 404, 404]), |n| remove(n, &n.stranger)),
    ("read its history", Group([200, 200, 200, 404]), |n| {
        (Method::GET, format!("/api/messages?conversationId={}", n.room.id), None)
    }),
    ("post", Group([201, 201, 201, 404]), |n| {
        (Method::POST, "/api/messages".into(), Some(json!({"conversationId": n.room.id, "content": "x"})))
    }),
    ("reply to nothing", Group([422, 422, 422, 404]), |n| {
        let body = json!({"conversationId": n.room.id, "content": "x", "replyTo": NEVER});
        (Method::POST, "/api/messages".into(), Some(body))
    }),
    ("mark it read", Group([200, 200, 200, 404]), |n| {
        (Method::POST, "/api/messages/read".into(), Some(json!({"conversationId": n.room.id, "seq": n.theirs})))
    }),
    ("read a message", Group([200, 200, 200, 404]), |n| (Method::GET, message(n, n.theirs), None)),
    ("read nothing", Group([404, 404, 404, 404]), |n| (Method::GET, message(n, NEVER), None)),
    ("edit one's own", Group([200, 200, 200, 404]), |n| edit(n, n.own)),
    ("edit another's", Group([403, 403, 403, 404]), |n| edit(n, n.theirs)),
    ("edit nothing", Group([404, 404, 404, 404]), |n| edit(n, NEVER)),
    ("edit what is no message", Group([404, 404, 404, 404]), |n| edit(n, n.room.head)),
    ("delete one's own", Group([204, 204, 204, 404]), |n| (Method::DELETE, message(n, n.own), None)),
    ("delete another's", Group([204, 204, 403, 404]), |n| (Method::DELETE, message(n, n.theirs), None)),
    ("delete nothing", Group([404, 404, 404, 404]), |n| (Method::DELETE, message(n, NEVER), None)),
    ("react", Group([204, 204, 204, 404]), |n| (Method::PUT, message(n, n.theirs) + "/reactions/%E2%9C%85", None)),
    ("react no more", Group([204, 204, 204, 404]), |n| {
        (Method::DELETE, message(n, n.theirs) + "/reactions/%E2%9C%85", None)
    }),
    ("see who reacted", Group([200, 200, 200, 404]), |n| {
        (Method::GET, message(n, n.theirs) + "/reactions/%E2%9C%85", None)
    }),
    ("react to nothing", Group([404, 404, 404, 404]), |n| {
        (Method::PUT, message(n, NEVER) + "/reactions/%E2%9C%85", None)
    }),
    ("read one's profile", All(200), |_| (Method::GET, "/api/me".into(), None)),
    ("change one's profile", All(200), |_| (Method::PATCH, "/api/me".into(), Some(json!({"displayName": "Me"})))),
    ("change the password without knowing it", All(401), |_| {
        (Method::POST, "/api/me/password".into(), Some(json!({"current": "a guess at it", "next": "battery staple"})))
    }),
    ("change the address where there is no mail", All(403), |_| {
        // Mails are counted by address.
        let email = format!("{}@example.net", UserId::fresh());
        (Method::POST, "/api/me/email".into(), Some(json!({"email": email, "password": "a guess at it"})))
    }),
    ("link an identity where there is no provider", All(404), |_| (Method::POST, "/api/me/identities".into(), None)),
    ("list one's sessions", All(200), |_| (Method::GET, "/api/auth/sessions".into(), None)),
    ("end another's session", Each([204, 404, 404, 404, 404, 404]), |n| {
        (Method::DELETE, format!("/api/auth/sessions/{}", n.session), None)
    }),
    ("find users", All(200), |_| (Method::GET, "/api/users?query=owner".into(), None)),
    ("see the owner", All(200), |n| (Method::GET, format!("/api/users/{}", n.owner), None)),
    ("list one's conversations", All(200), |_| (Method::GET, "/api/conversations".into(), None)),
    ("list what is unread", All(200), |_| (Method::GET, "/api/inbox".into(), None)),
    ("write to the owner", Each([422, 201, 201, 403, 201, 201]), |n| {
        (Method::POST, "/api/conversations".into(), Some(json!({"type": "direct", "participantIds": [n.owner]})))
    }),
    ("make a group with the owner", Each([201, 201, 201, 403, 201, 201]), |n| {
        (Method::POST, "/api/conversations".into(), Some(json!({"type": "group", "participantIds": [n.owner]})))
    }),
    ("list whom one has blocked", All(200), |_| (Method::GET, "/api/blocks".into(), None)),
    ("block someone", All(204), |n| (Method::PUT, format!("/api/blocks/{}", n.bystander), None)),
    ("block someone no more", All(204), |n| (Method::DELETE, format!("/api/blocks/{}", n.bystander), None)),
    ("be online", All(204), |_| (Method::POST, "/api/presence/heartbeat".into(), None)),
    ("see whether the owner is online", All(200), |n| (Method::GET, format!("/api/presence/status/{}", n.owner), None)),
    ("see who of several is online", All(200), |n| {
        (Method::POST, "/api/presence/status/batch".into(), Some(json!({"userIds": [n.owner]})))
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
async fn every_operation_answers_by_the_table() {
    let roles = Roles::new(shared().await).await;
    // What is only the owner's to read, and what is only the members'.
    let email = format!("{}@tests.example", roles.people[OWNER].name);
    for (what, expected, call) in OPERATIONS {
        for (who, person) in roles.people.iter().enumerate() {
            let names = roles.names(who).await;
            let (method, path, body) = call(&names);
            let answer = person.call(method.clone(), &path, body.as_ref()).await;
            assert_eq!(answer.status, expected.expected(who), "{what}, by {who}: {}", answer.body);
            let text = answer.body.to_string();
            assert!(
                who == OWNER || !text.contains(&email) && !text.contains(&names.session),
                "{what}, by {who}: {text}"
            );
            if is_outside(who) {
                assert!(!text.contains(&names.room.id), "{what}, by {who}: {text}");
                let names = nowhere(names);
                let (method, elsewhere, body) = call(&names);
                // Only what names the conversation is asked again.
                if elsewhere != path || body.as_ref().is_some_and(|body| body["conversationId"] == NOWHERE) {
                    let other = person.at(0).call(method, &elsewhere, body.as_ref()).await;
                    assert_eq!(other.status, answer.status, "{what}: it shows that the conversation exists");
                    assert_eq!(without_request(other.body), without_request(answer.body), "{what}");
                }
            }
            if method != Method::GET {
                roles.reset().await;
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_answered_without_a_token_or_with_another_secrets() {
    let cluster = shared().await;
    let alice = cluster.user(0, "alice").await;
    // Of another deployment: {"iss":"natter", …} signed with another secret.
    let forged = alice.token.rsplit_once('.').unwrap().0.to_owned() + "." + &"A".repeat(43);
    let mut calls = Vec::new();
    for (method, path, operation) in described() {
        if PUBLIC.contains(&(method.as_str(), &path)) {
            assert_ne!(operation["security"], json!([{"bearer": []}]), "{method} {path} is in PUBLIC");
        } else {
            assert_eq!(operation["security"], json!([{"bearer": []}]), "{method} {path} is not in PUBLIC");
            calls.push((method, concrete(&path, &alice.id)));
        }
    }
    assert!(calls.len() > 30, "most of the contract needs a token: {calls:?}");
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

/// Method, path and description of each operation of the contract.
fn described() -> Vec<(Method, String, Value)> {
    let text = include_str!("../../../../docs/openapi.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["responses"].is_object() {
                found.push((method.to_uppercase().parse().unwrap(), path.clone(), operation.clone()));
            }
        }
    }
    found
}

/// A path with something in place of each of its parameters.
fn concrete(path: &str, user: &str) -> String {
    let fill = |part: &str| match part {
        "{seq}" => "1".to_owned(),
        "{emoji}" => "%E2%9C%85".to_owned(),
        "{user}" => user.to_owned(),
        "{id}" if path.starts_with("/api/users/") => user.to_owned(),
        part if part.starts_with('{') => NOWHERE.to_owned(),
        plain => plain.to_owned(),
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

/// Whether an address is one of the contract's path.
fn is_of(address: &str, path: &str) -> bool {
    let address: Vec<_> = address.split('?').next().unwrap().split('/').collect();
    let path: Vec<_> = path.split('/').collect();
    address.len() == path.len() && address.iter().zip(&path).all(|(a, p)| p.starts_with('{') || a == p)
}

#[test]
fn every_operation_of_the_contract_has_a_row() {
    let names = Names::of_nothing();
    let calls: Vec<Call> = OPERATIONS.iter().map(|(.., call)| call(&names)).collect();
    for (method, path, _) in described() {
        let has_row = calls.iter().any(|(m, address, _)| *m == method && is_of(address, &path));
        let listed = [PUBLIC, ENDING].concat().contains(&(method.as_str(), &path));
        assert!(
            has_row || listed,
            "{method} {path} has no row in OPERATIONS, and is neither in PUBLIC nor in ENDING"
        );
        assert!(!(has_row && listed), "{method} {path} has a row in OPERATIONS and is in PUBLIC or ENDING");
    }
}
