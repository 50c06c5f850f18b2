//! The side that calls.

use async_nats::{Client, HeaderMap, Message, Request, RequestErrorKind};
use natter_schemas::{
    code::Code,
    event::Timestamp,
    rpc::{Call, RpcError},
};
use tokio::time::Instant;
use tracing::warn;

use crate::{header, subject};

/// Calls services over one connection.
#[derive(Clone)]
pub struct RpcClient {
    client: Client,
}

impl RpcClient {
    /// Over a connection of [`Purpose::Rpc`](crate::connect::Purpose::Rpc).
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Waits for the call's deadline at most. Nobody there, or no answer in time: `unavailable`, and whether
    /// the call had an effect is then unknown.
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Reply, RpcError> {
        let started = Instant::now();
        let answer = self.exchange(call).await;
        let (service, name) = (C::SERVICE.name(), C::NAME);
        metrics::histogram!("natter_rpc_seconds", "service" => service, "call" => name)
            .record(started.elapsed().as_secs_f64());
        if let Err(refused) = &answer {
            let code = refused.code.name();
            metrics::counter!("natter_rpc_refused_total", "service" => service, "call" => name, "code" => code)
                .increment(1);
        }
        answer
    }

    async fn exchange<C: Call>(&self, call: &C) -> Result<C::Reply, RpcError> {
        let payload = postcard::to_allocvec(call).map_err(|error| {
            warn!(service = C::SERVICE.name(), call = C::NAME, %error, "call cannot be encoded; its caller gets `internal`");
            Code::Internal
        })?;
        let mut headers = HeaderMap::new();
        let timeout_ms = i64::try_from(C::DEADLINE.as_millis()).unwrap_or(i64::MAX);
        headers.insert(header::DEADLINE, Timestamp::now().0.saturating_add(timeout_ms).to_string());
        let request = Request::new().headers(headers).payload(payload.into()).timeout(Some(C::DEADLINE));
        match self.client.send_request(subject::service(C::SERVICE, C::NAME), request).await {
            Ok(message) => read::<C>(&message),
            Err(error) => {
                warn!(service = C::SERVICE.name(), call = C::NAME, %error, "call not answered");
                Err(match error.kind() {
                    RequestErrorKind::MaxPayloadExceeded => Code::TooLarge.into(),
                    RequestErrorKind::InvalidSubject => Code::Internal.into(),
                    RequestErrorKind::TimedOut | RequestErrorKind::NoResponders | RequestErrorKind::Other => {
                        Code::Unavailable.into()
                    }
                })
            }
        }
    }
}

fn read<C: Call>(message: &Message) -> Result<C::Reply, RpcError> {
    postcard::from_bytes::<Result<C::Reply, RpcError>>(&message.payload).unwrap_or_else(|error| {
        warn!(service = C::SERVICE.name(), call = C::NAME, %error, "answer cannot be decoded; the caller gets `internal`");
        Err(Code::Internal.into())
    })
}
