//! The committed configurations, and what the three users of a cluster may do.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use natter_nats::{
    apply,
    async_nats::{Client, jetstream},
    connect::round_trip,
    control::ControlFeed,
    log::LogReader,
    publisher::Publisher,
    server,
    service::{NoReads, RpcServer},
    subject,
    topology::{MIRROR, PERSIST, log_stream},
};
use natter_schemas::{
    id::{ConversationId, EventId, Partition, UserId},
    rpc::{Call, LogHeads, Service},
};
use natter_testkit::{TestServer, small};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::accounts::{Accounts, SECRETS};

fn parses(config: &Path) {
    let output = Command::new(server::find().unwrap())
        .arg("-t")
        .arg("-c")
        .arg(config)
        .envs(SECRETS.map(|name| (name, "secret")))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_configurations_are_accepted_by_the_server() {
    let server = TestServer::start().await;
    parses(&server.folder().join("nats/nats-server.conf"));
    for name in ["cluster.conf", "compose.conf"] {
        parses(&Path::new(env!("CARGO_MANIFEST_DIR")).join("server").join(name));
    }
}

async fn answer_log_heads(_: LogHeads) -> Result<Vec<u64>, natter_schemas::rpc::RpcError> {
    Ok(vec![1, 2])
}

#[tokio::test]
async fn each_user_of_a_cluster_can_do_its_work() {
    let accounts = Accounts::start().await;
    let provision = jetstream::new(accounts.client("provision").await);
    apply::apply(&provision, &small(1), &[]).await.unwrap();
    assert!(apply::apply(&provision, &small(1), &[]).await.unwrap().1.is_empty());

    // The edge publishes, receives what was stored, follows CONTROL.
    let edge = accounts.client("edge").await;
    let edge_js = jetstream::new(edge.clone());
    apply::check(&edge_js, &small(1)).await.unwrap();
    let mut live = edge.subscribe(subject::live(Partition(0))).await.unwrap();
    round_trip(&edge).await;
    let c = ConversationId::fresh();
    let seq = super::publish(&Publisher::new(edge.clone()), 1, c, "x").await;
    assert_eq!(natter_nats::live::parse(live.next().await.unwrap()).unwrap().seq, seq);
    let control = edge_js.get_stream("CONTROL").await.unwrap();
    let ordered = jetstream::consumer::pull::OrderedConfig::default();
    let mut changes = control.create_consumer(ordered).await.unwrap().messages().await.unwrap();

    // The worker reads logs, acks, answers, announces to edges.
    let worker = accounts.client("worker").await;
    let worker_js = jetstream::new(worker.clone());
    apply::check(&worker_js, &small(1)).await.unwrap();
    let log = LogReader::new(worker_js.clone(), 1);
    assert_eq!(log.from(c, 0, 10).await.unwrap().len(), 1);
    assert_eq!(log.heads(&[c]).await.unwrap()[&c], seq);
    let persist: jetstream::consumer::PullConsumer =
        worker_js.get_consumer_from_stream(PERSIST, log_stream(Partition(0))).await.unwrap();
    let event = persist.messages().await.unwrap().next().await.unwrap().unwrap();
    event.double_ack().await.unwrap();
    assert_eq!(log.floors().await.unwrap(), [seq]);
    let stream = worker_js.get_stream(log_stream(Partition(0))).await.unwrap();
    stream.unpin_consumer(MIRROR, MIRROR).await.unwrap();
    let subject_of_user = subject::control_user(UserId::fresh());
    Publisher::new(worker.clone())
        .publish(subject_of_user.clone(), &EventId::fresh().to_string(), "x".into())
        .await
        .unwrap();
    assert_eq!(changes.next().await.unwrap().unwrap().subject.as_str(), subject_of_user);
    for user in [&edge, &worker] {
        let answer = user.request("$SYS.REQ.ACCOUNT.PING.STATZ", "".into()).await.unwrap();
        assert!(String::from_utf8_lossy(&answer.payload).contains(r#""server":"#), "{answer:?}");
    }
    let mut followed = ControlFeed::after(&worker_js, 0).await.unwrap();
    assert_eq!(followed.next().await.unwrap().unwrap().content.unwrap_err().subject, subject_of_user);

    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let mut host =
        RpcServer::start(worker, Service::History, Arc::new(NoReads), &tracker, stop).await.unwrap();
    host.serve::<LogHeads, _, _>(answer_log_heads).await.unwrap();
    assert_eq!(natter_nats::service::RpcClient::new(edge).call(&LogHeads).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn no_user_of_a_cluster_can_do_the_work_of_another() {
    let accounts = Accounts::start().await;
    let provision = jetstream::new(accounts.client("provision").await);
    apply::apply(&provision, &small(1), &[]).await.unwrap();
    let edge = accounts.client("edge").await;
    let short = |client: Client| {
        let mut js = jetstream::new(client);
        js.set_timeout(Duration::from_millis(300));
        js
    };
    // Denied requests are not answered.
    assert!(short(edge.clone()).delete_stream("CONTROL").await.is_err());
    assert!(short(accounts.client("worker").await).delete_stream("CONTROL").await.is_err());
    let read = short(edge.clone()).get_stream_no_info("CONV_0").await.unwrap();
    assert!(read.direct_get(1).await.is_err());
    // Nor does a denied subscription get what is sent to it.
    let mut stolen = edge
        .queue_subscribe(subject::service(Service::History, LogHeads::NAME), "history".into())
        .await
        .unwrap();
    let mut inboxes = edge.subscribe("_INBOX.>").await.unwrap();
    round_trip(&edge).await;
    let worker = accounts.client("worker").await;
    assert!(natter_nats::service::RpcClient::new(worker).call(&LogHeads).await.is_err());
    let waited = tokio::time::timeout(Duration::from_millis(100), async {
        tokio::select! { Some(_) = stolen.next() => {}, Some(_) = inboxes.next() => {} }
    });
    assert!(waited.await.is_err(), "the edge heard what is not for it");
    assert!(js_has(&provision, "CONTROL").await);
}

async fn js_has(js: &jetstream::Context, stream: &str) -> bool {
    js.get_stream(stream).await.is_ok()
}
