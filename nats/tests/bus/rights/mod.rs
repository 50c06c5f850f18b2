//! What each user of a cluster may do, asked of a server for every subject and every endpoint there is; and what a user
//! can have others do.

mod decisions; // the table

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use natter_nats::{
    apply,
    async_nats::jetstream,
    server,
    service::{NoReads, RpcServer},
    subject,
    topology::{MIRROR, PERSIST},
};
use natter_schemas::{
    id::UserId,
    rpc::{Call, LogHeads, RpcError, Service},
};
use natter_testkit::{small, until};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::decisions::{ENDPOINTS, Endpoint, ROLES, Role, SUBJECTS, Subject, TOO_WIDE};
use crate::accounts::Accounts;

const API: &str = "$JS.API.";

/// Endpoints with every stream and consumer, and whether the role may ask them.
fn endpoint_probes(role: Role) -> Vec<(String, bool)> {
    let mut streams: Vec<String> = small(2).streams().into_iter().map(|stream| stream.name).collect();
    streams.push("OTHER".to_owned());
    let mut probes = Vec::new();
    for Endpoint(endpoint, edge, worker) in ENDPOINTS {
        for stream in &streams {
            for consumer in [PERSIST, MIRROR, "another"] {
                let subject = endpoint.replacen('*', stream, 1).replacen('*', consumer, 1);
                let may = match role {
                    Role::Edge => edge.allows(stream, consumer),
                    Role::Worker => worker.allows(stream, consumer),
                    Role::Provision => true,
                };
                probes.push((format!("{API}{subject}"), may));
            }
        }
    }
    probes
}

fn names(probes: &[(String, bool)]) -> impl Iterator<Item = &str> {
    probes.iter().map(|(subject, _)| subject.as_str())
}

/// A user may do each thing that was decided and nothing else.
fn compare(what: &str, probes: &[(String, bool)], refused: &BTreeSet<String>) {
    let differ = |may: bool| {
        let wrong = |probe: &&(String, bool)| probe.1 == may && refused.contains(&probe.0) == may;
        probes.iter().filter(wrong).map(|(subject, _)| subject.as_str()).collect::<BTreeSet<_>>()
    };
    let (missing, undecided) = (differ(true), differ(false));
    assert!(
        missing.is_empty() && undecided.is_empty(),
        "{what}: may not, and was decided: {missing:?}; may, and was not decided: {undecided:?}"
    );
}

#[tokio::test]
async fn each_user_may_publish_what_was_decided_and_no_more() {
    for role in ROLES {
        let accounts = Accounts::start().await;
        let mut probes: Vec<_> = SUBJECTS
            .iter()
            .map(|Subject(subject, publish, _)| ((*subject).to_owned(), publish.contains(&role)))
            .collect();
        probes.extend(endpoint_probes(role));
        let refused = accounts.wire(role.user()).await.refused_publishes(names(&probes)).await;
        compare(&format!("{role:?} publishes"), &probes, &refused);
    }
}

#[tokio::test]
async fn each_user_may_subscribe_to_what_was_decided_alone() {
    let accounts = Accounts::start().await;
    for role in ROLES {
        let mut wire = accounts.wire(role.user()).await;
        let mut probes: Vec<_> = SUBJECTS
            .iter()
            .map(|Subject(subject, _, subscribe)| ((*subject).to_owned(), subscribe.contains(&role)))
            .collect();
        // Whoever subscribes to the API of JetStream learns where answers go.
        probes.extend(endpoint_probes(role).into_iter().map(|(subject, _)| (subject, false)));
        probes.extend(TOO_WIDE.iter().map(|subject| ((*subject).to_owned(), false)));
        let refused = wire.refused_subscriptions(names(&probes), "").await;
        compare(&format!("{role:?} subscribes"), &probes, &refused);

        let calls = ["svc.*.*", "svc.history.page"];
        let refused = wire.refused_subscriptions(calls, "history").await;
        let expected = if role == Role::Worker { BTreeSet::new() } else { calls.map(str::to_owned).into() };
        assert_eq!(refused, expected, "{role:?} answers calls");
    }
}

/// The fixed beginning of a subject that code builds: up to what it fills in.
fn fixed(literal: &str) -> &str {
    &literal[..literal.find(['{', '*', '>']).unwrap_or(literal.len())]
}

/// Literals that look like subjects; `CONSUMER.…` stands behind the prefix of JetStream's API.
fn subjects_of(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let literals = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2));
    let subject = |literal: &&str| {
        let word = literal.split('.').next().unwrap_or_default();
        literal.contains('.')
            && !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_alphabetic() || b"$-_".contains(&b))
            && !literal.contains([' ', '/'])
    };
    literals
        .filter(subject)
        .map(|literal| {
            let jetstream = ["STREAM.", "CONSUMER.", "DIRECT."].iter().any(|word| literal.starts_with(word));
            if jetstream { format!("{API}{literal}") } else { literal.to_owned() }
        })
        .collect()
}

#[test]
fn every_subject_that_code_builds_has_a_decision() {
    let own = SUBJECTS.iter().map(|Subject(subject, ..)| (*subject).to_owned());
    let api = ENDPOINTS.iter().map(|Endpoint(endpoint, ..)| format!("{API}{endpoint}"));
    let decided: Vec<String> = own.chain(api).collect();
    for (file, least) in [("subject.rs", 15), ("topology.rs", 7)] {
        let subjects = subjects_of(file);
        assert!(subjects.len() >= least, "{file}: {subjects:?}");
        for subject in subjects {
            let begins = fixed(&subject);
            let is_decided = decided.iter().any(|decision| decision.starts_with(begins));
            assert!(is_decided, "{file} builds {subject}: decide in rights/decisions.rs who may use it");
        }
    }
}

/// A newer server may have an endpoint which nothing was decided about. Its names are in its program.
#[test]
fn every_endpoint_of_the_server_has_a_decision() {
    let program = fs::read(server::find().unwrap()).unwrap();
    let decided: Vec<&str> = ENDPOINTS.iter().map(|Endpoint(endpoint, ..)| fixed(endpoint)).collect();
    let mut found = BTreeSet::new();
    let mut rest = program.as_slice();
    while let Some(at) = rest.windows(API.len()).position(|bytes| bytes == API.as_bytes()) {
        rest = &rest[at + API.len()..];
        let name: Vec<u8> =
            rest.iter().copied().take_while(|b| b.is_ascii_uppercase() || b"._".contains(b)).collect();
        // Shorter ones are the prefix alone, before another text.
        if name.len() >= "INFO".len() {
            found.insert(String::from_utf8(name).unwrap());
        }
    }
    assert!(found.len() > 30, "{found:?}");
    for name in found {
        // The text may be a beginning that the server completes, or run into the one behind it.
        let is_decided = decided.iter().any(|begins| name.starts_with(begins) || begins.starts_with(&name));
        assert!(is_decided, "nats-server has {API}{name}: decide in rights/decisions.rs who may use it");
    }
}

/// Rises with every message; the number of messages does not when one takes the place of another.
async fn last_seq(js: &jetstream::Context, stream: &str) -> u64 {
    js.get_stream(stream).await.unwrap().cached_info().state.last_sequence
}

async fn answer(_: LogHeads) -> Result<Vec<u64>, RpcError> {
    Ok(vec![1, 2])
}

#[tokio::test]
async fn a_service_answers_to_inboxes_and_nowhere_else() {
    let accounts = Accounts::start().await;
    let provision = jetstream::new(accounts.client("provision").await);
    apply::apply(&provision, &small(1), &[]).await.unwrap();
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let worker = accounts.client("worker").await;
    let mut host =
        RpcServer::start(worker.clone(), Service::History, Arc::new(NoReads), &tracker, stop.clone())
            .await
            .unwrap();
    host.serve::<LogHeads, _, _>(answer).await.unwrap();
    let streams = ["KV_natter", "CONTROL", "PARKED"];
    let mut before = Vec::new();
    for stream in streams {
        before.push(last_seq(&provision, stream).await);
    }

    let mut edge = accounts.wire("edge").await;
    let call = subject::service(Service::History, LogHeads::NAME);
    let user = subject::control_user(UserId::fresh());
    for reply in ["$KV.natter.epoch", "parked.persist.0", &user] {
        edge.publish(&call, reply, &postcard::to_allocvec(&LogHeads).unwrap()).await;
    }
    assert_eq!(edge.refusals().await, BTreeSet::new(), "a reply subject is not looked at when it is named");

    // What is under way ends on the tracker, and the server has read the answers when it answers after them.
    let rpc = natter_nats::service::RpcClient::new(accounts.client("edge").await);
    assert_eq!(rpc.call(&LogHeads).await.unwrap(), [1, 2]);
    drop(host);
    stop.cancel();
    tracker.close();
    tracker.wait().await;
    natter_nats::connect::round_trip(&worker).await;
    for (stream, before) in streams.into_iter().zip(before) {
        assert_eq!(last_seq(&provision, stream).await, before, "an edge had a worker write to {stream}");
    }
}

/// The rights hold without the service's own care.
#[tokio::test]
async fn a_call_gives_its_worker_no_right_to_write_its_reply() {
    let accounts = Accounts::start().await;
    let (mut edge, mut worker) = (accounts.wire("edge").await, accounts.wire("worker").await);
    assert_eq!(worker.refused_subscriptions(["svc.*.*"], "history").await, BTreeSet::new());
    for (reply, may) in
        [("$KV.natter.epoch", false), ("$JS.API.STREAM.DELETE.PARKED", false), ("_INBOX.edge.x", true)]
    {
        edge.publish("svc.history.page", reply, b"x").await;
        assert_eq!(edge.refusals().await, BTreeSet::new());
        assert_eq!(worker.refused_publishes([reply]).await.is_empty(), may, "{reply}");
    }
}

/// A limit of nats-server which `docs/threats.md` names: no right of a user restricts where JetStream answers.
#[tokio::test]
async fn jetstream_answers_to_whatever_subject_it_is_given() {
    let accounts = Accounts::start().await;
    let provision = jetstream::new(accounts.client("provision").await);
    let (made, _) = apply::apply(&provision, &small(1), &[]).await.unwrap();
    let mut edge = accounts.wire("edge").await;
    let control = subject::control_user(UserId::fresh());
    let kept = ["$KV.natter.epoch", "$KV.natter.event-key", "$KV.natter.another"].map(str::to_owned);
    let (bucket, before) = (last_seq(&provision, "KV_natter").await, last_seq(&provision, "CONTROL").await);
    for subject in kept.iter().chain([&control]) {
        assert_eq!(edge.refused_publishes([subject.as_str()]).await, BTreeSet::from([subject.clone()]));
        edge.publish("$JS.API.INFO", subject, b"").await;
        assert_eq!(edge.refusals().await, BTreeSet::new());
    }
    until("JetStream has answered into a stream", async || {
        last_seq(&provision, "CONTROL").await == before + 1
    })
    .await;
    // The same, by a consumer that delivers there.
    edge.publish("$JS.API.CONSUMER.CREATE.CONTROL.pushing", "_INBOX.edge.x", &pushing(&kept[0])).await;
    until("the consumer has delivered", async || delivered(&provision, "pushing").await > 0).await;
    // Keys are written once, and there are no others. What a consumer delivers keeps its subject, and is no key.
    let stored = provision.get_stream("KV_natter").await.unwrap();
    for seq in bucket + 1..=last_seq(&provision, "KV_natter").await {
        let subject = stored.get_raw_message(seq).await.unwrap().subject;
        assert!(subject.starts_with("control."), "{subject}");
    }
    let after = apply::check(&provision, &small(1)).await.unwrap();
    assert_eq!((after.epoch, after.event_key.0), (made.epoch, made.event_key.0));
}

/// What makes a consumer that has all of CONTROL delivered to this subject.
fn pushing(to: &str) -> Vec<u8> {
    let config = serde_json::json!({
        "name": "pushing", "deliver_subject": to, "ack_policy": "none", "deliver_policy": "all", "replay_policy": "instant"
    });
    serde_json::json!({ "stream_name": "CONTROL", "config": config }).to_string().into_bytes()
}

async fn delivered(js: &jetstream::Context, consumer: &str) -> u64 {
    let stream = js.get_stream("CONTROL").await.unwrap();
    match stream.consumer_info(consumer).await {
        Ok(info) => info.delivered.consumer_sequence,
        Err(_) => 0,
    }
}
