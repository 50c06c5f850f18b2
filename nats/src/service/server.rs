//! The side that answers.

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_nats::{
    Client,
    service::{Request, Service as NatsService, ServiceExt, endpoint::Endpoint as NatsEndpoint},
};
use futures_util::{FutureExt, StreamExt};
use natter_schemas::{
    code::Code,
    event::Timestamp,
    limits,
    rpc::{Call, RpcError, Service},
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, warn};

use crate::{connect::round_trip, header, subject};

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
    tracker: TaskTracker,
    stop: CancellationToken,
    slots: Arc<Semaphore>,
}

impl RpcServer {
    /// Makes the service known; its calls follow with `serve`. When `stop` is cancelled, no question is taken
    /// any more, and those under way end on `tracker`.
    pub async fn start(
        client: Client,
        service: Service,
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
        let slots = Arc::new(Semaphore::new(limits::SERVICE_CONCURRENCY));
        let offered = Arc::new(offered);
        Ok(Self { client, service, offered, tracker: tracker.clone(), stop, slots })
    }

    /// Answers one kind of question. When this returns, the server sends them here.
    pub async fn serve<C, F, Fut>(&mut self, handler: F) -> Result<(), ServiceError>
    where
        C: Call,
        F: Fn(C) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<C::Reply, RpcError>> + Send + 'static,
    {
        debug_assert_eq!(C::SERVICE, self.service, "a call belongs to its service");
        let endpoint = self
            .offered
            .endpoint_builder()
            .name(C::NAME)
            .add(subject::service(C::SERVICE, C::NAME))
            .await
            .map_err(|source| ServiceError { service: self.service.name(), source })?;
        let calls = Endpoint {
            client: self.client.clone(),
            offered: Arc::clone(&self.offered),
            tracker: self.tracker.clone(),
            stop: self.stop.clone(),
            slots: Arc::clone(&self.slots),
        };
        self.tracker.spawn(calls.run::<C, F, Fut>(endpoint, handler));
        round_trip(&self.client).await;
        Ok(())
    }
}

/// Where the questions of one kind arrive.
struct Endpoint {
    client: Client,
    /// async-nats ends every endpoint of a service that is dropped, and a `RpcServer` may be.
    offered: Arc<NatsService>,
    tracker: TaskTracker,
    stop: CancellationToken,
    slots: Arc<Semaphore>,
}

impl Endpoint {
    async fn run<C, F, Fut>(self, mut endpoint: NatsEndpoint, handler: F)
    where
        C: Call,
        F: Fn(C) -> Fut + Clone + Send + Sync + 'static,
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
            // Beyond the limit questions wait in the subscription, where their deadline drops them.
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { break };
            let (client, handler) = (self.client.clone(), handler.clone());
            self.tracker.spawn(async move {
                answer::<C, F, Fut>(&client, &request, handler).await;
                drop(slot);
            });
        }
        if let Some(service) = Arc::into_inner(self.offered) {
            // The last call is gone: it is no longer listed either.
            let _ = service.stop().await;
        }
    }
}

async fn answer<C, F, Fut>(client: &Client, request: &Request, handler: F)
where
    C: Call,
    F: Fn(C) -> Fut + Send + Sync,
    Fut: Future<Output = Result<C::Reply, RpcError>> + Send + 'static,
{
    let (service, call) = (C::SERVICE.name(), C::NAME);
    if deadline(request).is_some_and(|deadline| deadline <= Timestamp::now()) {
        metrics::counter!("natter_rpc_expired_total", "service" => service, "call" => call).increment(1);
        debug!(service, call, "deadline of the call has passed; not answered");
        return;
    }
    let outcome = match postcard::from_bytes::<C>(&request.message.payload) {
        Ok(question) => outcome::<C, F, Fut>(question, handler).await,
        Err(error) => {
            warn!(service, call, %error, "call cannot be decoded; answered with `malformed`");
            Err(Code::Malformed.into())
        }
    };
    let payload = encode::<C>(&outcome, client.max_payload().min(limits::NATS_PAYLOAD));
    if let Err(error) = request.respond(Ok(payload.into())).await {
        warn!(service, call, %error, "answer not sent; the caller will time out");
    }
}

fn deadline(request: &Request) -> Option<Timestamp> {
    request.message.headers.as_ref()?.get(header::DEADLINE)?.as_str().parse().ok().map(Timestamp)
}

async fn outcome<C, F, Fut>(question: C, handler: F) -> Result<C::Reply, RpcError>
where
    C: Call,
    F: Fn(C) -> Fut,
    Fut: Future<Output = Result<C::Reply, RpcError>> + Send + 'static,
{
    // A defect in one handler must not leave its caller waiting, nor take other questions with it.
    let caught = AssertUnwindSafe(async { handler(question).await }).catch_unwind().await;
    caught.unwrap_or_else(|_| {
        error!(
            service = C::SERVICE.name(),
            call = C::NAME,
            "handler panicked; the call is answered with `internal`"
        );
        Err(Code::Internal.into())
    })
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
