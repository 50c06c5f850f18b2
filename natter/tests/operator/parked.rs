//! Events no job could use: seen, tried again, dropped.

use natter_schemas::{
    codec,
    id::{ConversationId, Partition, Seq},
};
use serde_json::{Value, json};

use natter_testkit::{seq, until};

use crate::{
    deployment::{OperatorCluster, PARTITIONS, hex, id, partition, posted},
    rows::{insert, lose},
};

const NOISE: &[u8] = b"\x01not an event";

fn number(parked: &Value) -> String {
    parked["number"].to_string()
}

/// Any conversation of the partition, without members.
fn stranger(p: Partition) -> ConversationId {
    std::iter::repeat_with(ConversationId::fresh).find(|c| Partition::of(*c, PARTITIONS) == p).unwrap()
}

#[tokio::test]
async fn an_unusable_event_is_parked_listed_shown_and_dropped() {
    let deployment = OperatorCluster::start().await;
    let (alice, bob) = deployment.two().await;
    let room = alice.group(&[&bob]).await;
    let p = partition(&room);
    let before = alice.post_message(&room, "before").await;
    let noise = deployment.publish(p, id(&room), NOISE.to_vec()).await;
    let event = posted(&alice, &room, "a secret between two");
    let foreign = deployment.publish(p, stranger(p), codec::encode(&event)).await;
    let after = alice.post_message(&room, "after").await;
    deployment.settled().await;

    let parked = deployment.parked(2).await;
    let find = |seq: Seq| parked.iter().find(|parked| parked["seq"] == seq).unwrap();
    let (noise, foreign) = (find(noise), find(foreign));
    for parked in [noise, foreign] {
        assert_eq!((&parked["job"], &parked["partition"]), (&json!("persist"), &json!(p.0)), "{parked}");
        assert!(parked["parkedAt"].as_str().unwrap().ends_with('Z'), "{parked}");
    }
    let reason = |parked: &Value| parked["reason"].as_str().unwrap().to_owned();
    assert!(reason(noise).contains("not an event"), "{noise}");
    assert!(reason(foreign).contains("another conversation than its subject"), "{foreign}");
    let history: Vec<u64> = bob.history(&room).await.iter().map(seq).collect();
    assert_eq!(history, [before, after]);
    deployment.assert_equal();

    listed_by_what_is_asked_for(&deployment, p);
    shown_as_it_is(&deployment, noise, foreign);
    dropped_only_when_meant(&deployment, noise, foreign);
}

fn listed_by_what_is_asked_for(deployment: &OperatorCluster, p: Partition) {
    let list = |flags: &[&str]| {
        let all: Vec<_> = ["parked", "list"].iter().chain(flags).copied().collect();
        deployment.natter(&all).ok()
    };
    let lines = |flags: &[&str]| list(flags).lines().count();
    assert_eq!(lines(&[]), 3, "a line above and two events: {}", list(&[]));
    assert_eq!(lines(&["--json", "--limit", "1"]), 1);
    assert_eq!(lines(&["--json", "--job", "persist", "--partition", &p.to_string()]), 2);
    let other = ((p.0 + 1) % PARTITIONS).to_string();
    assert_eq!(list(&["--partition", &other]), "nothing is parked\n");
    assert_eq!(lines(&["--json", "--job", "mirror"]), 0);
}

fn shown_as_it_is(deployment: &OperatorCluster, noise: &Value, foreign: &Value) {
    let shown = deployment.natter(&["parked", "show", &number(noise)]).json();
    assert_eq!((&shown["payload"], &shown["bytes"]), (&json!(hex(NOISE)), &json!(NOISE.len())), "{shown}");
    assert!(shown["subject"].as_str().unwrap().starts_with("conv."), "{shown}");

    let closed = deployment.natter(&["parked", "show", &number(foreign)]).ok();
    assert!(!closed.contains("secret") && closed.contains("(20 bytes)"), "{closed}");
    let open = deployment.natter(&["parked", "show", &number(foreign), "--content"]).ok();
    assert!(open.contains("a secret between two"), "{open}");
    let none = deployment.natter(&["parked", "show", "999"]);
    assert_eq!((none.code, none.err.contains("nothing is parked as 999")), (Some(1), true), "{}", none.err);
}

fn dropped_only_when_meant(deployment: &OperatorCluster, noise: &Value, foreign: &Value) {
    let (noise, foreign) = (number(noise), number(foreign));
    let again = deployment.natter(&["parked", "replay", &noise, "999"]).failed();
    assert!(again.contains(&format!("{noise}: stays: not an event")), "{again}");
    assert!(again.contains("999: is not parked"), "{again}");
    assert_eq!(deployment.natter(&["parked", "replay", "--all"]).failed().lines().count(), 2);

    // Standard input is closed: nothing confirms.
    let asked = deployment.natter(&["parked", "drop", &noise]);
    assert!(asked.err.contains("[y/N]"), "{}", asked.err);
    assert_eq!(asked.failed(), format!("{noise}: stays\n"));
    assert_eq!(deployment.natter(&["parked", "list", "--json"]).json_lines().len(), 2);

    let dropped = deployment.natter(&["parked", "drop", &noise, &foreign, "--yes"]).ok();
    assert_eq!(dropped.lines().count(), 2, "{dropped}");
    assert_eq!(deployment.natter(&["parked", "list"]).ok(), "nothing is parked\n");
    let gone = deployment.natter(&["parked", "drop", &noise, "--yes"]).failed();
    assert_eq!(gone, format!("{noise}: is not parked\n"));
}

#[tokio::test]
async fn an_event_the_store_refused_is_replayed_once_the_cause_is_gone() {
    let deployment = OperatorCluster::start().await;
    let (alice, bob) = deployment.two().await;
    let room = alice.group(&[&bob]).await;
    let p = partition(&room);
    alice.post_message(&room, "before").await;
    deployment.settled().await;
    let store = deployment.store();
    // Another event's row lies where the next one belongs.
    let taken = deployment.last_seq(p).await + 1;
    insert(&store, taken, &posted(&bob, &room, "by mistake"));
    assert_eq!(alice.post_message(&room, "in its place").await, taken);
    until("it is parked, since others are stored", async || {
        alice.post_message(&room, "after").await;
        !deployment.natter(&["parked", "list", "--json"]).json_lines().is_empty()
    })
    .await;
    deployment.settled().await;

    let parked = deployment.parked(1).await;
    assert_eq!((parked.len(), &parked[0]["seq"]), (1, &json!(taken)), "{parked:#?}");
    let (code, verdict) = deployment.verified();
    let first = &verdict[usize::from(p.0)]["first"][0];
    assert_eq!(code, Some(1));
    assert_eq!((&first["seq"], &first["what"]), (&json!(taken), &json!("different")), "{first}");
    assert_eq!(first["parkedAs"], parked[0]["number"], "{first}");
    let number = number(&parked[0]);
    let refused = deployment.natter(&["parked", "replay", &number]).failed();
    assert!(refused.contains("stays: ") && refused.contains("in the log"), "{refused}");
    assert_eq!(deployment.parked(1).await.len(), 1);

    lose(&store, &room, taken);
    let replayed = deployment.natter(&["parked", "replay", &number]).ok();
    assert_eq!(replayed, format!("{number}: persisted (partition {p}, seq {taken}), no longer parked\n"));
    assert_eq!(deployment.natter(&["parked", "list"]).ok(), "nothing is parked\n");
    deployment.assert_equal();
    // A page that no worker has read before.
    let page = format!("/api/messages?conversationId={}&after={}&limit=1", room.id, taken - 1);
    let page = bob.get(&page).await.ok(200);
    assert_eq!(page["items"][0]["content"], "in its place", "{page:#}");
}
