//! Bodies and queries of every wrong shape, for every operation of `docs/openapi.json`: what its schema does not allow is
//! refused, and whatever comes is answered as the document says.

use futures_util::{StreamExt, stream};
use jsonschema::Draft;
use reqwest::Method;
use serde_json::{Value, json};

use natter_testkit::{DevServer, PASSWORD, Room, User};

use crate::{
    NATTER,
    mutants::{broken, mutants, validator},
};

/// Operations at one time.
const AT_ONCE: usize = 4;

struct Operation {
    method: Method,
    path: String,
    description: Value,
}

fn document() -> Value {
    serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap()
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().filter(|(_, operation)| operation["responses"].is_object()).map(
            |(method, operation)| Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                description: operation.clone(),
            },
        )
    });
    all.collect()
}

/// A user, a group of theirs, someone else in it, a message of theirs.
struct Scene {
    user: User,
    other: User,
    room: Room,
    message: u64,
}

impl Scene {
    async fn of(natter: &DevServer, name: &str) -> Self {
        let user = User::register_as(&natter.http, &format!("user-{name}")).await;
        let other = User::register_as(&natter.http, &format!("other-{name}")).await;
        let room = user.group(&[&other]).await;
        let message = user.post_message(&room, "hello").await;
        Self { user, other, room, message }
    }

    /// The path with this scene in it.
    fn path(&self, template: &str) -> String {
        let of_user = template.starts_with("/api/users") || template.contains("/status/");
        let id = if of_user { &self.other.id } else { &self.room.id };
        let seq = self.message.to_string();
        [
            ("{id}", id.as_str()),
            ("{user}", &self.other.id),
            ("{seq}", &seq),
            ("{emoji}", "%E2%9C%85"),
            ("{session}", id),
        ]
        .iter()
        .fold(template.to_owned(), |path, (name, value)| path.replace(name, value))
    }

    /// The document's example, with this scene in it.
    fn body(&self, example: &Value) -> Value {
        let mut body = example.clone();
        for (name, value) in body.as_object_mut().unwrap() {
            *value = match name.as_str() {
                "conversationId" => json!(self.room.id),
                "participantIds" | "userIds" => json!([self.other.id]),
                "seq" => json!(self.message),
                "login" => json!(self.user.name),
                "current" => json!(PASSWORD),
                "username" => json!(format!("new-{}", self.user.name)),
                "email" => json!(format!("new-{}@tests.example", self.user.name)),
                "refreshToken" => json!(self.user.refresh_token),
                _ => value.take(),
            };
        }
        body
    }
}

/// What is wrong with the answers to bodies of every shape.
async fn wrong_bodies(
    natter: &DevServer,
    document: &Value,
    number: usize,
    operation: &Operation,
) -> Vec<String> {
    let media = &operation.description["requestBody"]["content"]["application/json"];
    let schema = validator(&media["schema"], document, Draft::Draft202012);
    let optional = operation.description["requestBody"]["required"] == false;
    let scene = Scene::of(natter, &format!("a{number}")).await;
    let (path, example) = (scene.path(&operation.path), scene.body(&media["example"]));
    let call = async |body: Vec<u8>| scene.user.call_raw(operation.method.clone(), &path, body).await;
    let shapes =
        mutants(&example).into_iter().map(|(what, body)| (what, schema.is_valid(&body), body.to_string()));
    let shapes = shapes.map(|(what, allowed, text)| (what, allowed, text.into_bytes()));
    let texts = broken(&example).into_iter();
    let texts = texts.map(|(what, bytes)| (what.to_owned(), optional && bytes.is_empty(), bytes));
    let (allowed, refused): (Vec<_>, Vec<_>) = shapes.chain(texts).partition(|(_, allowed, _)| *allowed);
    let mut wrong = Vec::new();
    // What is allowed may end the account or its session: it comes last.
    for (what, allowed, body) in refused.into_iter().chain(allowed) {
        let answer = call(body).await;
        let is_refused = [400, 413, 422].contains(&answer.status);
        if answer.status >= 500 || !allowed && !is_refused {
            wrong.push(format!("{} {path} {what}: {:?}", operation.method, answer.code()));
        }
    }
    // It shows that the rest is refused for its shape.
    let scene = Scene::of(natter, &format!("b{number}")).await;
    let body = scene.body(&media["example"]);
    let answer = scene.user.call(operation.method.clone(), &scene.path(&operation.path), Some(&body)).await;
    // A link that works is in a mail alone: this code is of one that has the right shape.
    if answer.status >= 300 && answer.code() != (400, "link_invalid") {
        wrong.push(format!("{} {path} as it should be: {answer:?}", operation.method));
    }
    wrong
}

#[tokio::test]
async fn bodies_of_every_wrong_shape_are_refused_as_described() {
    // Mail is taken, and thrown away.
    let mail = [("MAIL_COMMAND", "true"), ("MAIL_FROM", "chat@natter.example")];
    let settings = [("RATE_LIMITS", "off"), ("LOG_LEVEL", "warn"), mail[0], mail[1]];
    let natter = DevServer::start(NATTER, &settings).await;
    let document = document();
    let operations = operations(&document);
    let with_body: Vec<_> = operations.iter().filter(|o| o.description["requestBody"].is_object()).collect();
    assert!(with_body.len() > 10);
    let answers = stream::iter(with_body.into_iter().enumerate())
        .map(|(number, operation)| wrong_bodies(&natter, &document, number, operation))
        .buffer_unordered(AT_ONCE);
    let wrong: Vec<_> = answers.collect::<Vec<_>>().await.concat();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(natter.metric("natter_panics_total").await < 0.5, "{}", natter.log());
}

#[tokio::test]
async fn queries_of_every_wrong_shape_are_answered_as_described() {
    const VALUES: [&str; 12] = [
        "",
        "-1",
        "0",
        "1.5",
        "99999999999999999999",
        "null",
        "%00",
        "%FF",
        "..%2f..",
        "%F0%9F%91%8D",
        "1&limit=2",
        "x%0d%0aX: y",
    ];
    let natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off"), ("LOG_LEVEL", "warn")]).await;
    let scene = Scene::of(&natter, "a").await;
    let mut asked = 0;
    for operation in operations(&document()) {
        let parameters = operation.description["parameters"].as_array().cloned().unwrap_or_default();
        let path = scene.path(&operation.path);
        for name in parameters.iter().filter(|p| p["in"] == "query").filter_map(|p| p["name"].as_str()) {
            let long = "9".repeat(6_000);
            for value in VALUES.into_iter().chain([long.as_str()]) {
                let others = format!("conversationId={}&query=al", scene.room.id);
                let path = format!("{path}?{name}={}&{others}", value.replace(' ', "%20"));
                // That it is one of the document's is checked with every call.
                let answer = scene.user.call(operation.method.clone(), &path, None).await;
                assert!(answer.status < 500, "{} {path}: {answer:?}", operation.method);
                asked += 1;
            }
        }
    }
    assert!(asked > 100, "{asked} queries");
}
