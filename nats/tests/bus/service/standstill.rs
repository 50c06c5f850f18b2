//! A process that was suspended takes up what its callers may no longer wait for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, future::ready};
use natter_nats::{
    connect::Purpose,
    service::{NoReads, RpcClient, RpcServer},
    subject,
};
use natter_schemas::{
    code::Code,
    rpc::{Call, RpcError, Service},
};
use natter_testkit::TestServer;
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Change, with_budget};

/// A service of one thread, which can be made to stand still.
struct Suspendable {
    suspend: mpsc::Sender<(oneshot::Sender<()>, std::sync::mpsc::Receiver<()>)>,
    thread: std::thread::JoinHandle<()>,
}

impl Suspendable {
    /// Counts the changes it makes.
    async fn start(server: Arc<TestServer>, changes: Arc<AtomicUsize>) -> Self {
        let (suspend, mut suspensions) = mpsc::channel::<(oneshot::Sender<()>, _)>(1);
        let (started, start) = oneshot::channel();
        let run = async move {
            let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
            let client = server.client(Purpose::Work).await;
            let access = Arc::new(NoReads);
            let mut host =
                RpcServer::start(client, Service::History, access, &tracker, stop.clone()).await.unwrap();
            let change = move |Change| {
                changes.fetch_add(1, Ordering::Relaxed);
                ready(Ok(()))
            };
            host.serve::<Change, _, _>(change).await.unwrap();
            started.send(()).unwrap();
            while let Some((begun, go_on)) = suspensions.recv().await {
                begun.send(()).unwrap();
                // Nothing of this runtime runs meanwhile, as after SIGSTOP.
                std::sync::mpsc::Receiver::<()>::recv(&go_on).unwrap();
            }
            stop.cancel();
            tracker.close();
            tracker.wait().await;
        };
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run);
        });
        start.await.unwrap();
        Self { suspend, thread }
    }

    /// Stands still until the sender is used.
    async fn suspend(&self) -> std::sync::mpsc::SyncSender<()> {
        let ((begun, suspended), (go_on, wait)) = (oneshot::channel(), std::sync::mpsc::sync_channel(1));
        self.suspend.send((begun, wait)).await.unwrap();
        suspended.await.unwrap();
        go_on
    }
}

#[tokio::test]
async fn what_waited_through_a_standstill_counts_as_that_old() {
    let server = Arc::new(TestServer::start().await);
    let client = server.client(Purpose::Rpc).await;
    let changes = Arc::new(AtomicUsize::new(0));
    let service = Suspendable::start(Arc::clone(&server), Arc::clone(&changes)).await;
    let go_on = service.suspend().await;
    let mut answers = Vec::new();
    for budget in [300, 5_000] {
        let inbox = client.new_inbox();
        answers.push(client.subscribe(inbox.clone()).await.unwrap());
        let (subject, payload) = (subject::service(Service::History, Change::NAME), Bytes::new());
        client.publish_with_reply_and_headers(subject, inbox, with_budget(budget), payload).await.unwrap();
    }
    client.flush().await.unwrap();
    // Longer than one caller waits, and shorter than the other.
    let unanswered = tokio::time::timeout(Duration::from_millis(800), answers[0].next()).await;
    assert!(unanswered.is_err(), "it stands still");
    go_on.send(()).unwrap();
    let mut outcomes = Vec::new();
    for answer in &mut answers {
        let payload = answer.next().await.unwrap().payload;
        outcomes.push(postcard::from_bytes::<Result<(), RpcError>>(&payload).unwrap());
    }
    assert_eq!(outcomes, [Err(Code::Unavailable.into()), Ok(())]);
    // One that comes later is as young as any.
    assert_eq!(RpcClient::new(client).call(&Change).await, Ok(()));
    assert_eq!(changes.load(Ordering::Relaxed), 2);
    drop(service.suspend);
    service.thread.join().unwrap();
}
