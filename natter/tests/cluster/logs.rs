//! What the roles write is of the schema of logs, and has one line for each request and each socket.

use std::fs;

use jsonschema::Validator;
use natter_testkit::{Cluster, User, until};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::NATTER;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn schema() -> Validator {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/log.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// All lines that processes have written.
fn lines(cluster: &Cluster) -> Vec<Value> {
    let logs = cluster.logs();
    let line = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| panic!("no line of JSON: {text}"));
    // What is behind the last end of a line is still being written.
    let complete = logs.iter().filter_map(|log| log.rsplit_once('\n')).map(|(lines, _)| lines);
    complete.flat_map(str::lines).map(line).collect()
}

/// The lines about this request, when there is one.
async fn about(cluster: &Cluster, request: &str) -> Vec<Value> {
    let found = || lines(cluster).into_iter().filter(|line| line["request"] == request).collect::<Vec<_>>();
    until(&format!("a line about {request}"), async || !found().is_empty()).await;
    found()
}

async fn request(user: &User, method: Method, path: &str, id: &str, body: Option<&Value>) -> u16 {
    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [("X-Request-Id", id), ("traceparent", &traceparent)];
    user.call_with(method, path, &headers, body).await.status
}

fn fields(line: &Value) -> Vec<&str> {
    line.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_a_socket_have_one_line_each() {
    let cluster = Cluster::start_with_settings(NATTER, &[("LOG_REQUESTS", "100000")]).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let post = json!({"conversationId": room.id, "content": "not for the log"});
    assert_eq!(request(&alice, Method::POST, "/api/messages", "posted", Some(&post)).await, 201);
    let path = room.path("?limit=1");
    assert_eq!(request(&alice, Method::GET, &path, "read", None).await, 200);
    assert_eq!(request(&alice, Method::POST, "/api/messages", "refused", Some(&json!({}))).await, 422);
    assert_eq!(request(&alice, Method::GET, "/nowhere/at/all", "nowhere", None).await, 404);

    let posted = &about(&cluster, "posted").await[..];
    let [line] = posted else { panic!("one line: {posted:?}") };
    assert_eq!(line["message"], "request answered");
    let expected = [
        ("method", json!("POST")),
        ("route", json!("/api/messages")),
        ("status", json!(201)),
        ("user", json!(alice.id)),
        ("trace_id", json!(TRACE)),
        ("bytes_in", json!(post.to_string().len())),
    ];
    for (name, value) in expected {
        assert_eq!(line[name], value, "{line}");
    }
    assert!(
        line["duration_ms"].as_f64().unwrap() > 0.0 && line["bytes_out"].as_u64().unwrap() > 100,
        "{line}"
    );
    let read = about(&cluster, "read").await;
    assert_eq!(read[0]["route"], "/api/conversations/{id}", "{read:?}");
    let refused = about(&cluster, "refused").await;
    assert_eq!(
        (refused.len(), &refused[0]["code"], &refused[0]["user"]),
        (1, &json!("invalid"), &json!(alice.id))
    );
    let nowhere = about(&cluster, "nowhere").await;
    assert!(nowhere.len() == 1 && nowhere[0].get("route").is_none(), "{nowhere:?}");

    let mut socket = alice.socket("phone").await;
    socket.ping().await;
    socket.send_raw(Message::binary(vec![0])).await;
    assert_eq!(socket.closed().await, 4501);
    let ended =
        || lines(&cluster).into_iter().filter(|line| line["message"] == "socket ended").collect::<Vec<_>>();
    until("a line about the socket", async || !ended().is_empty()).await;
    let ended = ended();
    let [line] = &ended[..] else { panic!("one line: {ended:?}") };
    assert_eq!((&line["user"], &line["close"]), (&json!(alice.id), &json!(4501)), "{line}");
    assert_eq!(line["code"], "protocol_error", "{line}");
    assert!(line["bytes_in"].as_u64().unwrap() > 50 && line["bytes_out"].as_u64().unwrap() > 100, "{line}");
    assert!(fields(line).contains(&"session") && fields(line).contains(&"request"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_edges_and_workers_is_of_the_schema() {
    let settings = [("LOG_LEVEL", "debug"), ("LOG_REQUESTS", "100000"), ("KAFKA_BROKERS", "127.0.0.1:1")];
    let mut cluster = Cluster::start_with_settings(NATTER, &settings).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut phone = alice.device("phone").await;
    phone.post(&room, "one").await;
    bob.mark_read(&room, room.head).await;
    bob.history(&room).await;
    alice.post("/api/auth/login", &json!({"login": "alice", "password": "wrong"})).await;
    alice.get("/api/conversations/*").await;
    let mut socket = bob.socket("laptop").await;
    socket.send_raw(Message::text("[")).await;
    socket.wait_for("error").await;
    drop(socket);
    cluster.kill_redis();
    until("an edge misses Redis", async || has(&cluster, "redis does not respond")).await;
    cluster.restart_redis().await;
    until("an edge finds Redis again", async || has(&cluster, "redis responds again")).await;
    until("a worker misses Kafka", async || has(&cluster, "kafka takes no events")).await;
    cluster.kill_worker(0);
    phone.post(&room, "two").await;
    until("the rest is stored", async || cluster.persisted() >= 2).await;

    let (schema, lines) = (schema(), lines(&cluster));
    for target in ["natter_edge", "natter_workers", "async_nats"] {
        assert!(lines.iter().any(|line| line["target"].as_str().unwrap().starts_with(target)), "{target}");
    }
    let wrong: Vec<_> =
        lines.iter().filter_map(|line| Some((schema.validate(line).err()?.to_string(), line))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let mut other = lines[0].clone();
    other["whatever"] = json!("a field that is in no table");
    assert!(!schema.is_valid(&other), "{other}");
}

fn has(cluster: &Cluster, message: &str) -> bool {
    cluster.logs().iter().any(|log| log.contains(message))
}
