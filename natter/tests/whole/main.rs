//! The whole way, in one deployment of real processes with the settings of compose.yaml: two edges, two workers,
//! nats-server, Redis, Cassandra, Kafka. What was acked is what the log, history, Kafka and every client have.
#![allow(clippy::unwrap_used)]

mod compose; // the deployment as people with Docker start it
#[cfg(target_os = "linux")]
mod services; // its processes as services of systemd
mod deployment; // the same as plain processes
mod compare; // what was acked, against what every client has
mod crowd; // a hundred people who all send at once

mod standstill; // the store does not answer for half a minute

use std::{collections::HashMap, process::Command, time::Duration};

use compare::Record;
use crowd::{MESSAGES, PEOPLE, Participant};
use deployment::Deployment;
use natter_testkit::until_within;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// The program under test.
const NATTER: &str = env!("CARGO_BIN_EXE_natter");

/// Two busy cores run eleven servers.
const PATIENCE: Duration = Duration::from_mins(3);

pub async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    until_within(PATIENCE, what, condition).await;
}

/// The deployment, whole, for one test at a time: it takes half a minute to start.
pub async fn shared() -> MutexGuard<'static, Deployment> {
    static SHARED: OnceCell<Mutex<Deployment>> = OnceCell::const_new();
    SHARED.get_or_init(async || Mutex::new(Deployment::start().await)).await.lock().await
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_messages_survive_kills_of_workers_and_kafka() {
    let mut deployment = shared().await;
    let people = people(&deployment.addresses).await;
    let (half, halfway) = tokio::sync::oneshot::channel();
    let breaking = async {
        halfway.await.unwrap();
        deployment.kill_worker(0);
        deployment.kafka.kill();
        deployment.start_worker(0).await;
        deployment.kill_worker(1);
        deployment.kafka.restart().await;
        deployment.start_worker(1).await;
    };
    let (mut logs, ()) = tokio::join!(crowd::talk(&people, half), breaking);

    let rooms = compare::acked(&mut logs);
    assert_eq!(rooms.values().map(std::collections::BTreeMap::len).sum::<usize>(), MESSAGES);
    compare::every_client_saw(&rooms, &people, &logs);
    compare::history_has(&rooms, &people).await;

    let total = usize::try_from(deployment.log_lengths().await.iter().sum::<u64>()).unwrap();
    let mut records = Vec::new();
    until("Kafka has all of the log", async || {
        records = consume(&deployment.kafka.brokers());
        records.len() >= total
    })
    .await;
    assert_eq!(records.len(), total, "Kafka has more than the log");
    compare::kafka_has(&records, &rooms);

    deployment.verified().await;
    compare::history_has(&rooms, &people).await;
}

/// A hundred people over both edges: forty groups of five, and each shares one with a neighbor.
async fn people(edges: &[String]) -> Vec<Participant> {
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let base = edges[number % edges.len()].clone();
        let account = json!({
            "username": format!("person-{number}"), "email": format!("{number}@tests.example"),
            "password": "correct horse battery",
        });
        let session = post(&base, "/api/auth/register", "", &account).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (id, token) = (text(&session["user"]["id"]), text(&session["token"]));
        people.push(Participant { id, token, base, rooms: Vec::new() });
    }
    for group in 0..40 {
        let members: Vec<usize> = (0..5).map(|n| (group * 5 + n * 7) % PEOPLE).collect();
        open(&mut people, "group", &members).await;
    }
    for number in (0..PEOPLE).step_by(2) {
        open(&mut people, "direct", &[number, number + 1]).await;
    }
    people
}

async fn open(people: &mut [Participant], kind: &str, members: &[usize]) {
    let others: Vec<&str> = members[1..].iter().map(|n| people[*n].id.as_str()).collect();
    let mut body = json!({"type": kind, "participantIds": others});
    if kind == "group" {
        body["name"] = json!("People");
    }
    let opener = &people[members[0]];
    let room = post(&opener.base, "/api/conversations", &opener.token, &body).await;
    let (id, head) = (room["id"].as_str().unwrap(), room["headSeq"].as_u64().unwrap());
    for member in members {
        people[*member].rooms.push((id.to_owned(), head));
    }
}

async fn post(base: &str, path: &str, token: &str, body: &Value) -> Value {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{base}{path}")).bearer_auth(token).json(body);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

/// Everything on the topic, as kcat prints it: partition, headers, key, value.
fn consume(brokers: &str) -> Vec<Record> {
    let format = "%p\\t%h\\t%k\\t%s\\n";
    let topic = ["-t", "natter.events.v1", "-o", "beginning", "-e", "-q", "-f", format];
    let output = Command::new("kcat").args(["-C", "-b", brokers]).args(topic).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(record).collect()
}

fn record(line: &str) -> Record {
    let parts: Vec<&str> = line.splitn(4, '\t').collect();
    let headers: HashMap<String, String> = parts[1]
        .split(',')
        .filter_map(|header| header.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let value = serde_json::from_str(parts[3]).unwrap();
    Record { partition: parts[0].parse().unwrap(), headers, key: parts[2].to_owned(), value }
}
