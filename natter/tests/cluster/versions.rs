//! Whatever processes send each other says of which version it is: what an edge or a worker of another version goes by.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use natter_nats::async_nats::{self, Client, Message, Subscriber};

use crate::NATTER;
use natter_testkit::{Cluster, text};

/// The subject of the last message.
const END: &str = "end";

/// To no one, and empty: only an answer counts, which is the server's while no one listens there.
const TO_NO_ONE: &str = "svc.none.settled";

/// Kinds of messages, by the first word of their subjects.
const KINDS: [&str; 9] =
    ["control", "conv", "live", "live-reads", "presence", "reads", "signal", "svc", "trace"];

/// Everything that two people's chat makes processes send, up to the end of a session.
async fn talk(cluster: &Cluster) {
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut phone, mut laptop) = (alice.device("phone").await, bob.device("laptop").await);
    laptop.join(&room).await;
    phone.join(&room).await;
    phone.set_typing(&room, true).await;
    laptop.wait_for_frame("typing", |frame| frame["type"] == "typing").await;
    let acked = phone.send(&room, "hello").await;
    let seq = acked["seq"].as_u64().unwrap();
    laptop.wait_for_seq(&room, seq).await;
    bob.mark_read(&room, seq).await;
    phone.wait_for_frame("bob has read it", |frame| frame["type"] == "read:receipt").await;
    for command in [vec!["trace", &text(&acked["messageId"])], vec!["top", "--once"]] {
        assert!(cluster.run(&command, &[]).status.success(), "{command:?}");
    }
    bob.post("/api/auth/logout-all", &serde_json::json!({})).await.ok(204);
    assert_eq!(laptop.closed().await, 4500);
}

fn names_versions(message: &Message) -> bool {
    let named = message.headers.as_ref().and_then(|headers| headers.get("Natter-Versions"));
    named.is_some_and(|versions| versions.as_str().split_once('-').is_some())
}

/// The kinds that were heard, `answer` among them, after each was looked at.
async fn look_at_each(client: Client, mut heard: Subscriber) -> BTreeSet<String> {
    let (mut kinds, mut inboxes) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let message = heard.next().await.unwrap();
        let subject = message.subject.to_string();
        let kind = subject.split('.').next().unwrap();
        let is_answer = inboxes.contains(&subject);
        match kind {
            END => return kinds,
            // An event has its version in its first byte, for as long as it is kept.
            "conv" | "live" => assert_eq!(message.payload.first(), Some(&1), "{subject}"),
            // With nats-server, in its own format.
            "$JS" | "$KV" | "$SYS" => continue,
            "_INBOX" if !is_answer => continue,
            _ if subject == TO_NO_ONE => {
                client.publish_with_reply(message.reply.unwrap(), END, "".into()).await.unwrap();
                continue;
            }
            _ => assert!(names_versions(&message), "{subject}: {:?}", message.headers),
        }
        if matches!(kind, "svc" | "work") {
            inboxes.extend(message.reply.map(|reply| reply.to_string()));
        }
        kinds.insert(if is_answer { "answer" } else { kind }.to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_between_processes_names_its_version() {
    let cluster = Cluster::start(NATTER).await;
    let client = async_nats::connect(cluster.nats_url()).await.unwrap();
    let heard = client.subscribe(">").await.unwrap();
    client.flush().await.unwrap();
    let looking = tokio::spawn(look_at_each(client.clone(), heard));
    talk(&cluster).await;
    client.publish_with_reply(END, END, "".into()).await.unwrap();
    let kinds = looking.await.unwrap();
    let missing: Vec<_> = KINDS.iter().chain(&["answer"]).filter(|kind| !kinds.contains(**kind)).collect();
    assert!(missing.is_empty(), "{missing:?} not heard, only {kinds:?}");
}
