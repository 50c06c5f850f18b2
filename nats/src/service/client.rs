//! The side that calls.

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_nats::{Client, HeaderMap, Message, Request, RequestError, RequestErrorKind};
use bytes::Bytes;
use natter_schemas::{
    backoff::Backoff,
    code::Code,
    id::UserId,
    rpc::{Call, RpcError},
};
use natter_spans::Kind;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::{
    proof::{ProofSource, Prover},
    span::of_call,
};
use crate::{header, neighbors::Neighbors, subject};

/// How long a call waits for its service to be there. A worker that reconnects or is replaced is back within
/// it; when no worker is left, this is what a caller waits for `unavailable`.
const ABSENCE: Duration = Duration::from_secs(1);
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_millis(100);

/// Calls services over one connection.
#[derive(Clone)]
pub struct RpcClient {
    client: Client,
    neighbors: Arc<Neighbors>,
    prover: Prover,
    /// Who causes the calls.
    caused_by: Option<IpAddr>,
    /// Who is in the conversation of a call that names no user.
    member: Option<UserId>,
}

impl RpcClient {
    /// Over a connection of [`Purpose::Rpc`](crate::connect::Purpose::Rpc). Its calls prove nothing.
    pub fn new(client: Client) -> Self {
        Self::proving(client, Prover::None)
    }

    /// The same for users, whose tokens its calls carry.
    pub fn of_users(client: Client, tokens: Arc<dyn ProofSource>) -> Self {
        Self::proving(client, Prover::Users(tokens))
    }

    /// The same of a worker, or of an operator with its rights: for calls that workers make.
    pub fn of_worker(client: Client) -> Self {
        Self::proving(client, Prover::Worker)
    }

    fn proving(client: Client, prover: Prover) -> Self {
        Self { client, neighbors: Arc::default(), prover, caused_by: None, member: None }
    }

    /// Calls that name a conversation and no user are proven by this member of it.
    pub fn by_member(&self, member: UserId) -> Self {
        Self { member: Some(member), ..self.clone() }
    }

    /// Calls with the address of the client that causes them: services keep it in the audit log.
    pub fn caused_by(&self, client: IpAddr) -> Self {
        Self { caused_by: Some(client), ..self.clone() }
    }

    /// Waits for the call's deadline at most, and for a service that is not there a second at most. After that:
    /// `unavailable`, and whether the call had an effect is then unknown.
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Reply, RpcError> {
        self.call_if_served(call).await?.ok_or_else(|| Code::Unavailable.into())
    }

    /// The same; `None`: no process answers this call, as when all are of a version before it.
    pub async fn call_if_served<C: Call>(&self, call: &C) -> Result<Option<C::Reply>, RpcError> {
        let started = Instant::now();
        let (service, name) = (C::SERVICE.name(), C::NAME);
        let (origin, exchange) = (natter_spans::current(), self.exchange(call));
        let answer = of_call(Kind::Client, (service, name), origin, exchange, refused).await;
        metrics::histogram!("natter_rpc_seconds", "service" => service, "call" => name)
            .record(started.elapsed().as_secs_f64());
        if let Some(code) = refused(&answer) {
            let code = code.name();
            metrics::counter!("natter_rpc_refused_total", "service" => service, "call" => name, "code" => code)
                .increment(1);
        }
        answer
    }

    async fn exchange<C: Call>(&self, call: &C) -> Result<Option<C::Reply>, RpcError> {
        let payload = postcard::to_allocvec(call).map_err(|error| {
            warn!(service = C::SERVICE.name(), call = C::NAME, %error, "call cannot be encoded; its caller gets `internal`");
            Code::Internal
        })?;
        match self.request(call, payload.into()).await {
            Ok(message) => {
                self.neighbors.check(C::NAME, message.headers.as_ref())?;
                read::<C>(&message).map(Some)
            }
            Err(error) => {
                warn!(service = C::SERVICE.name(), call = C::NAME, %error, "call not answered");
                match error.kind() {
                    RequestErrorKind::NoResponders => Ok(None),
                    RequestErrorKind::MaxPayloadExceeded => Err(Code::TooLarge.into()),
                    RequestErrorKind::InvalidSubject => Err(Code::Internal.into()),
                    RequestErrorKind::TimedOut | RequestErrorKind::Other => Err(Code::Unavailable.into()),
                }
            }
        }
    }

    /// Sends again only what certainly had no effect: without a responder the server delivered it to none.
    async fn request<C: Call>(&self, call: &C, payload: Bytes) -> Result<Message, RequestError> {
        let deadline = Instant::now() + C::DEADLINE;
        let present_by = Instant::now() + ABSENCE.min(C::DEADLINE);
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        let as_worker = C::BY_WORKERS && matches!(self.prover, Prover::Worker);
        let subject = if as_worker { subject::service_of_workers } else { subject::service };
        let subject = subject(C::SERVICE, C::NAME);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut headers = HeaderMap::new();
            headers.insert(header::BUDGET, left.as_millis().to_string());
            self.neighbors.mark(&mut headers);
            self.prover.mark(call, self.member, &mut headers);
            let origin = natter_spans::current().map(|position| position.context);
            header::set_trace_context(&mut headers, origin);
            if let Some(client) = self.caused_by {
                headers.insert(header::CLIENT, client.to_string());
            }
            let request = Request::new().headers(headers).payload(payload.clone()).timeout(Some(left));
            let answer = self.client.send_request(subject.clone(), request).await;
            let absent = answer.as_ref().is_err_and(|error| error.kind() == RequestErrorKind::NoResponders);
            let delay = backoff.next_delay();
            if !absent || Instant::now() + delay >= present_by {
                return answer;
            }
            sleep(delay).await;
        }
    }
}

/// Why there is no reply: who answers no call is as good as away.
fn refused<T>(answer: &Result<Option<T>, RpcError>) -> Option<Code> {
    match answer {
        Ok(Some(_)) => None,
        Ok(None) => Some(Code::Unavailable),
        Err(refused) => Some(refused.code),
    }
}

fn read<C: Call>(message: &Message) -> Result<C::Reply, RpcError> {
    postcard::from_bytes::<Result<C::Reply, RpcError>>(&message.payload).unwrap_or_else(|error| {
        warn!(service = C::SERVICE.name(), call = C::NAME, %error, "answer cannot be decoded; the caller gets `internal`");
        Err(Code::Internal.into())
    })
}
