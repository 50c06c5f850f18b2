mod access;
mod budget;
mod standstill;
mod versions;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use natter_nats::{
    async_nats::{Client, HeaderMap, Request, RequestErrorKind},
    connect::Purpose,
    header,
    service::{AccessCheck, NoReads, RpcClient, RpcServer},
    subject,
};
use natter_schemas::{
    code::Code,
    limits,
    rpc::{Access, Call, Proof, Proven, Reads, RpcError, Service},
    version::{Versions, WIRE},
};
use natter_testkit::TestServer;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Answered with so many bytes, or as it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Probe {
    Bytes(usize),
    Refuse,
    Panic,
    Never,
}

impl Call for Probe {
    type Reply = Vec<u8>;
    const SERVICE: Service = Service::History;
    const NAME: &'static str = "probe";
    const DEADLINE: Duration = Duration::from_secs(2);
}

impl Proven for Probe {
    fn proof(&self) -> Proof {
        Proof::Nothing
    }
}

impl Access for Probe {
    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

async fn handle(probe: Probe) -> Result<Vec<u8>, RpcError> {
    match probe {
        Probe::Bytes(count) => Ok(vec![7; count]),
        Probe::Refuse => Err(RpcError::invalid("limit")),
        Probe::Panic => panic!("asked to"),
        Probe::Never => std::future::pending().await,
    }
}

struct Fixture {
    server: TestServer,
    client: Client,
    rpc: RpcClient,
    tracker: TaskTracker,
    stop: CancellationToken,
}

async fn fixture() -> Fixture {
    let server = TestServer::start().await;
    let client = server.client(Purpose::Rpc).await;
    Fixture {
        rpc: RpcClient::new(client.clone()),
        client,
        server,
        tracker: TaskTracker::new(),
        stop: CancellationToken::new(),
    }
}

impl Fixture {
    async fn host(&self) -> RpcServer {
        self.host_with(Arc::new(NoReads)).await
    }

    async fn host_with(&self, access: Arc<dyn AccessCheck>) -> RpcServer {
        let client = self.server.client(Purpose::Work).await;
        RpcServer::start(client, Service::History, access, &self.tracker, self.stop.clone()).await.unwrap()
    }

    async fn probe(&self) {
        self.host().await.serve::<Probe, _, _>(handle).await.unwrap();
    }

    /// Calls whose answers are not read.
    async fn publish(&self, count: usize, probe: &Probe) {
        let subject = subject::service(Service::History, Probe::NAME);
        for _ in 0..count {
            let inbox = self.client.new_inbox();
            self.client.publish_with_reply(subject.clone(), inbox, question(probe)).await.unwrap();
        }
    }

    async fn code(&self, probe: Probe) -> Code {
        self.rpc.call(&probe).await.unwrap_err().code
    }
}

#[tokio::test]
async fn a_question_gets_its_answer_or_its_code() {
    let f = fixture().await;
    f.probe().await;
    assert_eq!(f.rpc.call(&Probe::Bytes(3)).await.unwrap(), [7, 7, 7]);
    assert_eq!(f.rpc.call(&Probe::Refuse).await, Err(RpcError::invalid("limit")));
}

#[tokio::test]
async fn a_full_page_fits_an_answer_and_more_is_internal() {
    let f = fixture().await;
    f.probe().await;
    assert_eq!(f.rpc.call(&Probe::Bytes(7_900_000)).await.unwrap().len(), 7_900_000);
    assert_eq!(f.code(Probe::Bytes(limits::NATS_PAYLOAD)).await, Code::Internal);
}

#[tokio::test]
async fn a_panic_is_internal_and_the_next_question_is_answered() {
    let f = fixture().await;
    f.probe().await;
    assert_eq!(f.code(Probe::Panic).await, Code::Internal);
    assert_eq!(f.rpc.call(&Probe::Bytes(1)).await.unwrap(), [7]);
}

#[tokio::test]
async fn no_responder_and_no_answer_in_time_are_unavailable() {
    let f = fixture().await;
    assert_eq!(f.code(Probe::Bytes(1)).await, Code::Unavailable);
    f.probe().await;
    assert_eq!(f.code(Probe::Never).await, Code::Unavailable);
}

#[tokio::test]
async fn a_call_waits_for_a_service_that_is_about_to_return() {
    let f = fixture().await;
    let (answer, ()) = tokio::join!(f.rpc.call(&Probe::Bytes(1)), async {
        // The server has answered the first attempt, by then on the same connection, that there is none.
        f.client.request("no.such.subject", Bytes::new()).await.unwrap_err();
        f.probe().await;
    });
    assert_eq!(answer.unwrap(), [7]);
}

#[tokio::test]
async fn bytes_that_are_no_question_are_malformed() {
    let f = fixture().await;
    f.probe().await;
    let subject = subject::service(Service::History, Probe::NAME);
    let answer = f.client.request(subject, vec![200].into()).await.unwrap();
    let refused: Result<Vec<u8>, RpcError> = postcard::from_bytes(&answer.payload).unwrap();
    assert_eq!(refused, Err(Code::Malformed.into()));
}

fn with_budget(ms: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::BUDGET, ms.to_string());
    headers
}

fn question(probe: &Probe) -> Bytes {
    postcard::to_allocvec(probe).unwrap().into()
}

/// A call that changes something.
#[derive(Debug, Serialize, Deserialize)]
struct Change;

impl Proven for Change {
    fn proof(&self) -> Proof {
        Proof::Nothing
    }
}

impl Access for Change {
    fn reads(&self) -> Reads {
        Reads::Nothing
    }
}

impl Call for Change {
    type Reply = ();
    const SERVICE: Service = Service::History;
    const NAME: &'static str = "change";
    const CHANGES: bool = true;
}

/// Reports the end of a call's work, however it ends.
struct Work(mpsc::Sender<&'static str>);

impl Drop for Work {
    fn drop(&mut self) {
        let _ = self.0.try_send("ended");
    }
}

#[tokio::test]
async fn work_ends_with_the_callers_budget_unless_it_changes_something() {
    let f = fixture().await;
    let (report, mut reports) = mpsc::channel(2);
    let go_on = Arc::new(Semaphore::new(0));
    let mut host = f.host().await;
    let work = report.clone();
    host.serve::<Probe, _, _>(move |probe| {
        let work = Work(work.clone());
        async move {
            let answer = handle(probe).await;
            drop(work);
            answer
        }
    })
    .await
    .unwrap();
    let gate = Arc::clone(&go_on);
    host.serve::<Change, _, _>(move |Change| {
        let (gate, report) = (Arc::clone(&gate), report.clone());
        async move {
            gate.acquire().await.unwrap().forget();
            report.try_send("changed").unwrap();
            Ok(())
        }
    })
    .await
    .unwrap();
    let change = postcard::to_allocvec(&Change).unwrap().into();
    for (name, payload) in [(Change::NAME, change), (Probe::NAME, question(&Probe::Never))] {
        let (subject, inbox) = (subject::service(Service::History, name), f.client.new_inbox());
        f.client.publish_with_reply_and_headers(subject, inbox, with_budget(100), payload).await.unwrap();
    }
    assert_eq!(reports.recv().await, Some("ended"), "no one waits for what it reads");
    // The change came first, so its caller has stopped waiting too.
    go_on.add_permits(1);
    assert_eq!(reports.recv().await, Some("changed"));
}

#[tokio::test]
async fn a_service_with_a_full_queue_refuses_at_once() {
    let f = fixture().await;
    let begun = Arc::new(Semaphore::new(0));
    let count = Arc::clone(&begun);
    let mut host = f.host().await;
    host.serve::<Probe, _, _>(move |probe| {
        count.add_permits(1);
        handle(probe)
    })
    .await
    .unwrap();
    f.publish(limits::SERVICE_CONCURRENCY, &Probe::Never).await;
    let all = u32::try_from(limits::SERVICE_CONCURRENCY).unwrap();
    begun.acquire_many(all).await.unwrap().forget();
    f.publish(limits::SERVICE_WAITING, &Probe::Never).await;
    let asked = std::time::Instant::now();
    assert_eq!(f.code(Probe::Bytes(1)).await, Code::Unavailable);
    assert!(asked.elapsed() < Probe::DEADLINE / 2, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_stopped_service_finishes_what_it_has_begun_and_takes_nothing_more() {
    let f = fixture().await;
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (begin, wait) = (Arc::clone(&begun), Arc::clone(&go_on));
    let mut host = f.host().await;
    host.serve::<Probe, _, _>(move |probe| {
        let (begin, wait) = (Arc::clone(&begin), Arc::clone(&wait));
        async move {
            begin.add_permits(1);
            let _waited = wait.acquire().await;
            handle(probe).await
        }
    })
    .await
    .unwrap();
    let (answered, answer) = oneshot::channel();
    let rpc = f.rpc.clone();
    tokio::spawn(async move { answered.send(rpc.call(&Probe::Bytes(2)).await) });
    let _begun = begun.acquire().await.unwrap();

    f.stop.cancel();
    f.tracker.close();
    let subject = subject::service(Service::History, Probe::NAME);
    let gone = async {
        let short = || Request::new().timeout(Some(Duration::from_millis(20)));
        // Until the server has heard of it, a question may still be taken, and waits like the first.
        while f.client.send_request(subject.clone(), short()).await.unwrap_err().kind()
            != RequestErrorKind::NoResponders
        {}
    };
    tokio::time::timeout(Duration::from_secs(1), gone).await.unwrap();
    go_on.add_permits(100);
    assert_eq!(answer.await.unwrap().unwrap(), [7, 7]);
    tokio::time::timeout(Duration::from_secs(5), f.tracker.wait()).await.unwrap();
    assert_eq!(f.code(Probe::Bytes(1)).await, Code::Unavailable);
}

#[tokio::test]
async fn two_hosts_share_the_questions() {
    let f = fixture().await;
    let counts: Vec<_> = (0..2).map(|_| Arc::new(AtomicUsize::new(0))).collect();
    for count in &counts {
        let count = Arc::clone(count);
        let serve = move |probe| {
            count.fetch_add(1, Ordering::Relaxed);
            handle(probe)
        };
        f.host().await.serve::<Probe, _, _>(serve).await.unwrap();
    }
    for _ in 0..100 {
        f.rpc.call(&Probe::Bytes(1)).await.unwrap();
    }
    let counts: Vec<usize> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    assert!(counts.iter().sum::<usize>() == 100 && counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[tokio::test]
async fn the_services_are_listed_for_the_nats_command() {
    let f = fixture().await;
    f.probe().await;
    let answer = f.client.request("$SRV.INFO.history", "".into()).await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(info["name"], "history");
    assert_eq!(info["endpoints"][0]["subject"], "svc.history.probe");
    assert_eq!(info["endpoints"][0]["queue_group"], "history");
}
