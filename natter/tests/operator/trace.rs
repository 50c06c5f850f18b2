//! One message, followed through a whole deployment.

use natter_testkit::{Cluster, Device, Kafka, Room, User, text, until};
use serde_json::{Value, json};

use crate::{NATTER, deployment::CommandOutput};

const SECRET: &str = "a content that no trace shows";

struct Deployment {
    cluster: Cluster,
    alice: User,
    room: Room,
    phone: Device,
    laptop: Device,
}

impl Deployment {
    /// Alice's phone is at the first edge, Bob's laptop at the second.
    async fn start(settings: &[(&'static str, &str)]) -> (Self, User) {
        let cluster = Cluster::start_with_settings(NATTER, settings).await;
        let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
        let room = alice.group(&[&bob]).await;
        let (phone, laptop) = (alice.device("phone").await, bob.device("laptop").await);
        (Self { cluster, alice, room, phone, laptop }, bob)
    }

    /// Sends a message: its id and seq, when Bob has it.
    async fn send(&mut self, client_id: &str) -> (String, u64) {
        let acked = self.phone.call_acked(self.room.message_frame(client_id, SECRET)).await;
        let seq = acked["seq"].as_u64().unwrap();
        self.laptop.wait_for_seq(&self.room, seq).await;
        (text(&acked["messageId"]), seq)
    }

    fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(&self.cluster.run(&[&["trace"], arguments].concat(), &[]))
    }

    fn trace(&self, message: &str) -> Value {
        let output = self.run(&[message, "--json"]).ok();
        assert!(!output.contains(SECRET), "{output}");
        serde_json::from_str(&output).unwrap()
    }

    /// The message, once its trace is like this.
    async fn trace_until(&self, what: &str, message: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut traced = Value::Null;
        until(what, async || {
            traced = self.trace(message);
            is(&traced)
        })
        .await;
        traced
    }
}

/// The steps of each node of a role that has any.
fn steps(traced: &Value, role: &str) -> Vec<Vec<String>> {
    let nodes = traced["nodes"].as_array().unwrap().iter().filter(|node| node["role"] == role);
    let steps = nodes.map(|node| hops(node).map(|hop| text(&hop["step"])).collect::<Vec<_>>());
    steps.filter(|steps| !steps.is_empty()).collect()
}

fn hops(node: &Value) -> impl Iterator<Item = &Value> {
    node["hops"].as_array().unwrap().iter()
}

fn all_hops<'a>(traced: &'a Value, step: &'a str) -> impl Iterator<Item = &'a Value> {
    let nodes = traced["nodes"].as_array().unwrap().iter();
    nodes.flat_map(hops).filter(move |hop| hop["step"] == step)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hop_of_a_message_is_shown() {
    let kafka = Kafka::start().await;
    let brokers = kafka.brokers();
    let (mut deployment, bob) = Deployment::start(&[("KAFKA_BROKERS", &brokers)]).await;
    let (message, seq) = deployment.send("hop-1").await;
    bob.mark_read(&deployment.room, seq).await;
    let traced = deployment
        .trace_until("every hop is there", &message, |traced| {
            traced["kafka"]["offset"].is_u64() && all_hops(traced, "stored").count() > 0
        })
        .await;

    let mut edges = steps(&traced, "edge");
    edges.sort_by_key(Vec::len);
    assert_eq!(edges.len(), 2, "{traced:#}");
    assert_eq!(edges[0], ["heard", "delivered"], "{traced:#}");
    // What came back may be faster than the ack.
    edges[1].sort_unstable();
    assert_eq!(edges[1], ["admitted", "delivered", "heard", "published", "received"], "{traced:#}");
    for delivered in all_hops(&traced, "delivered") {
        assert_eq!(delivered["sockets"], 1);
    }
    let published = all_hops(&traced, "published").next().unwrap();
    assert_eq!((&published["attempts"], &published["duplicate"]), (&json!(1), &json!(false)));
    let mirrored = all_hops(&traced, "mirrored").next().unwrap();
    assert_eq!(mirrored["offset"], traced["kafka"]["offset"]);
    assert_eq!(
        (&traced["seq"], &traced["log"]["state"], &traced["store"]["state"]),
        (&json!(seq), &json!("stored"), &json!("stored"))
    );
    assert_eq!(traced["kafka"]["topic"], "natter.events.v1");
    assert_eq!((&traced["readBy"], &traced["otherMembers"]), (&json!(1), &json!(1)));
    assert_eq!((&traced["authorId"], &traced["noAnswer"]), (&json!(deployment.alice.id), &json!([])));

    let lines = deployment.run(&[&message]).ok();
    for part in
        ["received from its sender", "published as seq", "delivered to 1 socket of members", "by 1 of 1"]
    {
        assert!(lines.contains(part), "{lines}");
    }
    assert!(!lines.contains(SECRET), "{lines}");
    let (user, room) = (deployment.alice.name.clone(), deployment.room.id.clone());
    let named = ["hop-1", "--user", &user, "--device", "phone", "--conversation", &room, "--json"];
    assert_eq!(deployment.run(&named).json()["messageId"], message.as_str());
    let link = format!("https://chat.example.org/c/{room}/{seq}");
    assert_eq!(deployment.run(&[&link, "--json"]).json()["messageId"], message.as_str());
    let none = deployment.run(&[&format!("{room}/{}", seq + 1_000)]).error();
    assert!(none.contains("has no message with seq"), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_sent_twice_shows_both() {
    let (mut deployment, _) = Deployment::start(&[]).await;
    let (first, seq) = deployment.send("twice").await;
    assert_eq!(deployment.send("twice").await, (first.clone(), seq));
    let traced = deployment.trace(&first);
    assert_eq!(all_hops(&traced, "received").count(), 2, "{traced:#}");
    let again = all_hops(&traced, "published").filter(|hop| hop["duplicate"] == true).count();
    assert_eq!(again + all_hops(&traced, "found_earlier").count(), 1, "{traced:#}");
    assert_eq!(traced["seq"], json!(seq));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_stored_yet_and_who_does_not_answer_is_shown() {
    // No worker mirrors to where nothing is, so the mirror stays behind.
    let (mut deployment, _) = Deployment::start(&[("KAFKA_BROKERS", "127.0.0.1:1")]).await;
    let (known, _) = deployment.send("before").await;
    deployment
        .trace_until("every node has heard of every other", &known, |traced| {
            let nodes = traced["nodes"].as_array().unwrap();
            nodes.len() == 4 && nodes.iter().all(|node| node["knownNodes"] == 4)
        })
        .await;
    deployment.trace_until("it is stored", &known, |traced| traced["store"]["state"] == "stored").await;
    for worker in 0..2 {
        deployment.cluster.kill_worker(worker);
    }
    let (message, seq) = deployment.send("after").await;
    let traced = deployment.trace(&message);
    assert_eq!((&traced["seq"], &traced["store"]["state"]), (&json!(seq), &json!("missing")), "{traced:#}");
    assert_eq!(traced["kafka"]["state"], "missing", "{traced:#}");
    assert!(traced["store"]["storedTo"].as_u64().unwrap() < seq, "{traced:#}");
    let silent: Vec<_> = traced["noAnswer"].as_array().unwrap().iter().map(|node| &node["role"]).collect();
    assert_eq!(silent, ["worker", "worker"], "{traced:#}");
    let lines = deployment.run(&[&message]).ok();
    assert!(lines.contains("no answer; last heard") && lines.contains("does not have it yet"), "{lines}");
}

#[tokio::test]
async fn an_id_that_nothing_knows_is_said_to_be_unknown() {
    let cluster = Cluster::start(NATTER).await;
    let alice = cluster.user(0, "alice").await;
    let run = |arguments: &[&str]| CommandOutput::of(&cluster.run(&[&["trace"], arguments].concat(), &[]));
    let id = alice.id.as_str();
    assert!(run(&[id]).error().contains("is remembered by any node"));
    assert!(run(&[id, "--conversation", id]).error().contains("the store does not have it"));
    assert!(run(&["c1"]).error().contains("needs --user and --conversation"));
    let stranger = run(&["c1", "--user", "unknown-user", "--conversation", id]).error();
    assert!(stranger.contains("there is no user unknown-user"), "{stranger}");
    for flags in [["c1", "--user", &alice.name].as_slice(), &["c1", "--conversation", "x"]] {
        assert_eq!(run(flags).code, Some(2));
    }
}
