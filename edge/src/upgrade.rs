//! HTTP becomes a socket (RFC 6455 §4.2). Nothing secret is in the URL: the token comes in the first frame.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use natter_schemas::{code::Code, frame::SUBPROTOCOL};
use natter_tls::{TlsStream, rustls::ServerConnection};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    api_error::ApiError,
    app::App,
    client_address::ClientAddress,
    client_lines::Cause,
    connections::Connection,
    socket::{self, Opening},
    transport,
    wire::source::Source,
};

pub async fn upgrade(State(app): State<Arc<App>>, mut request: Request) -> Result<Response<Body>, ApiError> {
    if app.lifecycle.draining().is_cancelled() {
        return Err(ApiError::new(Code::Unavailable, "this node is restarting: connect to another"));
    }
    let key = handshake(request.headers())?;
    let client = ClientAddress::of(request.extensions());
    check_origin(&app, request.headers(), client)?;
    let accept = derive_accept_key(key.as_bytes());
    let offered = subprotocol(request.headers())?;
    let cause: Cause = request.extensions().get().cloned().ok_or(Code::Internal)?;
    let opening = Opening { cause, begun: Instant::now() };
    let on_upgrade = hyper::upgrade::on(&mut request);
    let lifecycle = app.lifecycle.clone();
    lifecycle.clients().spawn(async move {
        let upgraded = match on_upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => return tracing::debug!(%error, "client left during the upgrade"),
        };
        let Some(Opened { connection, session, early }) = open(upgraded) else {
            return tracing::error!("upgraded connection is of no known kind; dropped");
        };
        // The socket counts as a connection until it ends.
        let (stream, _permit) = connection.into_parts();
        let (input, output) = transport::split(stream, session);
        let source = Source::new(input, early, app.config.limits.frame);
        socket::serve(app, opening, source, output).await;
    });
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept);
    if offered {
        response = response.header(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    response.body(Body::empty()).map_err(|_| ApiError::from(Code::Internal))
}

struct Opened {
    connection: Connection,
    /// Of an encrypted connection.
    session: Option<ServerConnection>,
    /// What arrived together with the handshake: a copy, which does not hold the 8 KiB that it was read into.
    early: Vec<u8>,
}

/// The connection, out of what HTTP was spoken over.
fn open(upgraded: Upgraded) -> Option<Opened> {
    match upgraded.downcast::<TokioIo<Connection>>() {
        Ok(parts) => {
            let early = parts.read_buf.to_vec();
            Some(Opened { connection: parts.io.into_inner(), session: None, early })
        }
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<TlsStream<Connection>>>().ok()?;
            let (connection, session) = parts.io.into_inner().into_inner();
            Some(Opened { connection, session: Some(session), early: parts.read_buf.to_vec() })
        }
    }
}

/// The client's `Sec-WebSocket-Key`, if this is a WebSocket handshake of version 13.
fn handshake(headers: &HeaderMap) -> Result<String, ApiError> {
    let malformed = |detail: &'static str| ApiError::new(Code::Malformed, detail);
    if !has_token(headers, header::UPGRADE, "websocket") || !has_token(headers, header::CONNECTION, "upgrade")
    {
        return Err(malformed("this address speaks WebSocket: send an upgrade request"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|v| v != "13") {
        return Err(malformed("Sec-WebSocket-Version must be 13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|k| k.to_str().ok());
    key.map(str::to_owned).ok_or_else(|| malformed("Sec-WebSocket-Key is missing"))
}

/// Whether `natter.v1` was offered. A client that offers only other protocols is refused; one that offers none is
/// taken to speak it.
fn subprotocol(headers: &HeaderMap) -> Result<bool, ApiError> {
    if !headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        return Ok(false);
    }
    if has_token(headers, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        Ok(true)
    } else {
        Err(ApiError::new(Code::Malformed, "none of the offered subprotocols is natter.v1"))
    }
}

/// Browsers always send `Origin`; other clients need none. Pages of this very origin are always allowed: scheme, host and
/// port (RFC 6454 §4). The scheme is that of the client's connection, as far as trusted proxies report it.
fn check_origin(app: &App, headers: &HeaderMap, client: ClientAddress) -> Result<(), ApiError> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let own = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let scheme = if client.secure { "https" } else { "http" };
    let same = own.is_some_and(|host| origin.split_once("://") == Some((scheme, host)));
    if same || app.config.cors_origins.iter().any(|allowed| allowed == origin) {
        Ok(())
    } else {
        Err(ApiError::new(Code::Forbidden, "this origin is not in CORS_ORIGINS"))
    }
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let mut texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts.any(|text| text.split(',').any(|item| item.trim().eq_ignore_ascii_case(token)))
}
