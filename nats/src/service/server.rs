//! The side that answers.

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_nats::{
    Client, HeaderMap, PublishError,
    service::{Request, Service as NatsService, ServiceExt, endpoint::Endpoint as NatsEndpoint},
};
use futures_util::{FutureExt, StreamExt};
use natter_schemas::{
    code::Code,
    limits,
    rpc::{Call, Reads, RpcError, Service},
};
use natter_spans::{Kind, Position};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, warn};

use super::{
    access::AccessCheck,
    proof::{self, ProofCheck},
    pulse::Pulse,
    span::{of_call, refusal},
};
use crate::{connect::round_trip, header, neighbors::Neighbors, subject};

/// A service that cannot be registered with the server.
#[derive(Debug, thiserror::Error)]
#[error("the service {service} cannot be offered: {source}")]
pub struct ServiceError {
    service: &'static str,
    source: async_nats::Error,
}

/// One service of this process. Its calls share its concurrency.
pub struct RpcServer {
    client: Client,
    service: Service,
    offered: Arc<NatsService>,
    access: Arc<dyn AccessCheck>,
    proofs: Option<Arc<dyn ProofCheck>>,
    neighbors: Arc<Neighbors>,
    pulse: Arc<Pulse>,
    tracker: TaskTracker,
    stop: CancellationToken,
    capacity: Capacity,
}

/// What the calls of one service share.
#[derive(Clone)]
struct Capacity {
    /// Calls being answered.
    running: Arc<Semaphore>,
    /// Calls that arrived and wait for their turn.
    waiting: Arc<Semaphore>,
}

impl Capacity {
    fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(limits::SERVICE_CONCURRENCY)),
            waiting: Arc::new(Semaphore::new(limits::SERVICE_WAITING)),
        }
    }
}

impl RpcServer {
    /// Makes the service known; its calls follow with `serve`. No handler runs for a call that `access` refuses. When
    /// `stop` is cancelled, no question is taken any more, and those under way end on `tracker`.
    pub async fn start(
        client: Client,
        service: Service,
        access: Arc<dyn AccessCheck>,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, ServiceError> {
        let offered = client
            .service_builder()
            .description(format!("natter {}", service.name()))
            .queue_group(service.name())
            .start(service.name(), env!("CARGO_PKG_VERSION"))
            .await
            .map_err(|source| ServiceError { service: service.name(), source })?;
        let (offered, tracker) = (Arc::new(offered), tracker.clone());
        let pulse = Pulse::start(client.clone(), &tracker, stop.clone());
        let (neighbors, capacity) = (Arc::default(), Capacity::new());
        let proofs = None;
        Ok(Self { client, service, offered, access, proofs, neighbors, pulse, tracker, stop, capacity })
    }

    /// No handler runs for a call that is not proven.
    #[must_use]
    pub fn proven(mut self, proofs: Arc<dyn ProofCheck>) -> Self {
        self.proofs = Some(proofs);
        self
    }

    /// Answers one kind of question. When this returns, the server sends them here.
    pub async fn serve<C, F, Fut>(&mut self, handler: F) -> Result<(), ServiceError>
    where
        C: Call,
        F: Fn(C) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<C::Reply, RpcError>> + Send + 'static,
    {
        self.serve_clients(move |call, _| handler(call)).await
    }

    /// The same, with the address of the client that caused the call, as far as its edge knows it.
    pub async fn serve_clients<C, F, Fut>(&mut self, handler: F) -> Result<(), ServiceError>
    where
        C: Call,
        F: Fn(C, Option<IpAddr>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<C::Reply, RpcError>> + Send + 'static,
    {
        debug_assert_eq!(C::SERVICE, self.service, "a call belongs to its service");
        if C::BY_WORKERS {
            let (name, subject) =
                (format!("worker-{}", C::NAME), subject::service_of_workers(C::SERVICE, C::NAME));
            self.endpoint::<C, F, Fut>(name, subject, None, handler.clone()).await?;
        }
        let (name, subject) = (C::NAME.to_owned(), subject::service(C::SERVICE, C::NAME));
        self.endpoint::<C, F, Fut>(name, subject, self.proofs.clone(), handler).await?;
        round_trip(&self.client).await;
        Ok(())
    }

    async fn endpoint<C, F, Fut>(
        &self,
        name: String,
        subject: String,
        proofs: Option<Arc<dyn ProofCheck>>,
        handler: F,
    ) -> Result<(), ServiceError>
    where
        C: Call,
        F: Fn(C, Option<IpAddr>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<C::Reply, RpcError>> + Send + 'static,
    {
        let endpoint = self.offered.endpoint_builder().name(name).add(subject).await;
        let endpoint = endpoint.map_err(|source| ServiceError { service: self.service.name(), source })?;
        let calls = Endpoint {
            offered: Arc::clone(&self.offered),
            answering: Answering {
                client: self.client.clone(),
                access: Arc::clone(&self.access),
                proofs,
                neighbors: Arc::clone(&self.neighbors),
            },
            pulse: Arc::clone(&self.pulse),
            tracker: self.tracker.clone(),
            stop: self.stop.clone(),
            capacity: self.capacity.clone(),
        };
        self.tracker.spawn(calls.run::<C, F, Fut>(endpoint, handler));
        Ok(())
    }
}

/// Where the questions of one kind arrive.
struct Endpoint {
    /// async-nats ends every endpoint of a service that is dropped, and a `RpcServer` may be.
    offered: Arc<NatsService>,
    answering: Answering,
    pulse: Arc<Pulse>,
    tracker: TaskTracker,
    stop: CancellationToken,
    capacity: Capacity,
}

impl Endpoint {
    async fn run<C, F, Fut>(self, mut endpoint: NatsEndpoint, handler: F)
    where
        C: Call,
        F: Fn(C, Option<IpAddr>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<C::Reply, RpcError>> + Send + 'static,
    {
        let mut stopped = false;
        loop {
            let request = tokio::select! {
                () = self.stop.cancelled(), if !stopped => {
                    stopped = true;
                    // Those that have arrived are still answered below, until the endpoint ends.
                    if let Err(error) = endpoint.stop().await {
                        debug!(call = C::NAME, %error, "endpoint not unsubscribed; its connection is closed");
                        break;
                    }
                    continue;
                }
                request = endpoint.next() => request,
            };
            let Some(request) = request else { break };
            if !request.message.reply.as_deref().is_some_and(subject::is_inbox) {
                misdirected::<C>();
                continue;
            }
            // Taken off the subscription at once: a call's budget runs from here, its wait for a turn included. Unless
            // this process stood still: then it may have waited for as long.
            let left = budget::<C>(&request).checked_sub(self.pulse.possible_wait());
            let Some(left) = left else {
                expired::<C>();
                self.tracker.spawn(refuse::<C>(request, Arc::clone(&self.answering.neighbors)));
                continue;
            };
            let arrival = Arrival { deadline: Instant::now() + left, request };
            let Ok(waiting) = Arc::clone(&self.capacity.waiting).try_acquire_owned() else {
                shed::<C>();
                self.tracker.spawn(refuse::<C>(arrival.request, Arc::clone(&self.answering.neighbors)));
                continue;
            };
            let (handler, answering) = (handler.clone(), self.answering.clone());
            let running = Arc::clone(&self.capacity.running);
            self.tracker.spawn(async move {
                let Some(turn) = arrival.turn::<C>(running, waiting).await else { return };
                // Boxed: a call that only waits should not hold the memory of one that runs.
                let answered = Box::pin(answering.answer::<C, F, Fut>(&arrival.request, handler));
                if C::CHANGES {
                    answered.await;
                } else if timeout_at(arrival.deadline, answered).await.is_err() {
                    expired::<C>();
                }
                drop(turn);
            });
        }
        if let Some(service) = Arc::into_inner(self.offered) {
            // The last call is gone: it is no longer listed either.
            let _ = service.stop().await;
        }
    }
}

/// A call that was taken off its subscription.
struct Arrival {
    request: Request,
    /// When its caller stops waiting, on this process's monotonic clock.
    deadline: Instant,
}

impl Arrival {
    /// Waits for a free place among the calls being answered; `None` once the caller has stopped waiting.
    async fn turn<C: Call>(
        &self,
        running: Arc<Semaphore>,
        waiting: OwnedSemaphorePermit,
    ) -> Option<OwnedSemaphorePermit> {
        let turn = timeout_at(self.deadline, running.acquire_owned()).await;
        drop(waiting);
        // Also when a place was free at once: a caller may have had no budget left as it sent.
        if self.deadline > Instant::now()
            && let Ok(turn) = turn
        {
            return turn.ok();
        }
        expired::<C>();
        None
    }
}

fn expired<C: Call>() {
    let (service, call) = (C::SERVICE.name(), C::NAME);
    metrics::counter!("natter_rpc_expired_total", "service" => service, "call" => call).increment(1);
    debug!(service, call, "the caller's budget is spent; not answered");
}

/// Without the header (a caller of an earlier version) or with one that makes no sense: what the call allows.
fn budget<C: Call>(request: &Request) -> Duration {
    let headers = request.message.headers.as_ref();
    let ms = headers.and_then(|headers| headers.get(header::BUDGET)?.as_str().parse().ok());
    ms.map_or(C::DEADLINE, |ms| Duration::from_millis(ms).min(C::DEADLINE))
}

/// Without the header (a caller of an earlier version, or one that acts for no client) none.
fn client(request: &Request) -> Option<IpAddr> {
    request.message.headers.as_ref()?.get(header::CLIENT)?.as_str().parse().ok()
}

fn misdirected<C: Call>() {
    let (service, call) = (C::SERVICE.name(), C::NAME);
    warn!(
        service,
        call, "a call wants its answer elsewhere than in an inbox; it has no effect and no answer"
    );
}

fn shed<C: Call>() {
    let (service, call) = (C::SERVICE.name(), C::NAME);
    metrics::counter!("natter_rpc_shed_total", "service" => service, "call" => call).increment(1);
}

/// An answer now is worth more than one that comes too late.
async fn refuse<C: Call>(request: Request, neighbors: Arc<Neighbors>) {
    let (service, call) = (C::SERVICE.name(), C::NAME);
    let refused: Result<C::Reply, RpcError> = Err(Code::Unavailable.into());
    let payload = postcard::to_allocvec(&refused).expect("a code and no text always encode");
    if let Err(error) = respond(&request, payload, &neighbors).await {
        debug!(service, call, %error, "refusal not sent; the caller will time out");
    }
}

async fn respond(request: &Request, payload: Vec<u8>, neighbors: &Neighbors) -> Result<(), PublishError> {
    let mut headers = HeaderMap::new();
    neighbors.mark(&mut headers);
    request.respond_with_headers(Ok(payload.into()), headers).await
}

/// What answers one call.
#[derive(Clone)]
struct Answering {
    client: Client,
    access: Arc<dyn AccessCheck>,
    /// `None`: whoever may ask needs no proof.
    proofs: Option<Arc<dyn ProofCheck>>,
    neighbors: Arc<Neighbors>,
}

impl Answering {
    async fn answer<C, F, Fut>(&self, request: &Request, handler: F)
    where
        C: Call,
        F: Fn(C, Option<IpAddr>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<C::Reply, RpcError>> + Send + 'static,
    {
        let (service, call) = (C::SERVICE.name(), C::NAME);
        let outcome = match self.question::<C>(request) {
            Ok(question) => {
                let cause = header::trace_context(request.message.headers.as_ref()).map(Position::given);
                let outcome = self.outcome::<C, F, Fut>(question, request, handler);
                of_call(Kind::Server, (service, call), cause, outcome, refusal).await
            }
            Err(refused) => Err(refused),
        };
        let payload = encode::<C>(&outcome, self.client.max_payload().min(limits::NATS_PAYLOAD));
        if let Err(error) = respond(request, payload, &self.neighbors).await {
            warn!(service, call, %error, "answer not sent; the caller will time out");
        }
    }

    fn question<C: Call>(&self, request: &Request) -> Result<C, RpcError> {
        self.neighbors.check(C::NAME, request.message.headers.as_ref())?;
        postcard::from_bytes(&request.message.payload).map_err(|error| {
            warn!(service = C::SERVICE.name(), call = C::NAME, %error, "call cannot be decoded; answered with `malformed`");
            Code::Malformed.into()
        })
    }

    async fn outcome<C, F, Fut>(
        &self,
        question: C,
        request: &Request,
        handler: F,
    ) -> Result<C::Reply, RpcError>
    where
        C: Call,
        F: Fn(C, Option<IpAddr>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<C::Reply, RpcError>> + Send + 'static,
    {
        let answered = async {
            if let Some(proofs) = &self.proofs {
                let headers = request.message.headers.as_ref();
                proof::check(&question, headers, &**proofs, &*self.access).await?;
            }
            match question.reads() {
                Reads::ForUsers(reads) => self.access.check(C::NAME, &reads).await?,
                Reads::Nothing | Reads::DecidedByHandler | Reads::ForRooms => {}
            }
            handler(question, client(request)).await
        };
        // A defect in one handler must not leave its caller waiting, nor take other questions with it.
        AssertUnwindSafe(answered).catch_unwind().await.unwrap_or_else(|_| {
            error!(
                service = C::SERVICE.name(),
                call = C::NAME,
                "handler panicked; the call is answered with `internal`"
            );
            Err(Code::Internal.into())
        })
    }
}

/// An answer that does not fit a NATS message becomes `internal`: its bounds are this side's to keep.
fn encode<C: Call>(outcome: &Result<C::Reply, RpcError>, most: usize) -> Vec<u8> {
    let (service, call) = (C::SERVICE.name(), C::NAME);
    match postcard::to_allocvec(outcome) {
        Ok(bytes) if bytes.len() <= most => return bytes,
        Ok(bytes) => error!(
            service,
            call,
            bytes = bytes.len(),
            most,
            "answer too large to send; the caller gets `internal`"
        ),
        Err(error) => error!(service, call, %error, "answer cannot be encoded; the caller gets `internal`"),
    }
    let failed: Result<C::Reply, RpcError> = Err(Code::Internal.into());
    postcard::to_allocvec(&failed).expect("a code and no text always encode")
}
