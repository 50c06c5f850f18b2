//! Every response: a request id, the problem document of an error, security headers.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header},
    middleware::Next,
    response::IntoResponse,
};
use natter_schemas::{code::Code, id::EventId, limits, rest::check};
use natter_spans::{Attribute, Kind, Position, Span, within};
use tracing::error;

use super::extract::trace_context;
use crate::{
    api_error::ApiError,
    auth::Identity,
    client_address::ClientAddress,
    client_lines::{Cause, ClientLines, RequestLine, logged},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Responses are data, never a page: nothing may be loaded, framed or guessed from them.
const SECURITY: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Where something is that was just made: made of ids and numbers.
pub fn location(path: &str) -> [(HeaderName, HeaderValue); 1] {
    [(header::LOCATION, HeaderValue::from_str(path).expect("a path of ids and numbers"))]
}

/// The outermost layer.
pub async fn finish(
    State(lines): State<Arc<ClientLines>>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let begun = Instant::now();
    let method = method_name(request.method());
    let span = Span::begin(Kind::Server, method, trace_context(request.headers()).map(Position::given));
    let trace = span.position().and_then(Position::kept);
    let cause = Cause { request: request_id(request.headers()).into(), trace };
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let secure = ClientAddress::of(request.extensions()).secure;
    let bytes_in = content_length(request.headers());
    request.extensions_mut().insert(cause.clone());
    let work = within(span.position(), next.run(request));
    let result = tokio::time::timeout(limits::HTTP_REQUEST, work).await;
    let mut response = result
        .unwrap_or_else(|_| ApiError::new(Code::Unavailable, "the request took too long").into_response());
    let error = response.extensions_mut().remove::<ApiError>().or_else(|| refused_by_framework(&response));
    if let Some(error) = &error {
        write_problem(&mut response, error, &cause.request);
    }
    let status = response.status().as_u16();
    metrics::histogram!(
        "natter_http_seconds",
        "route" => route.clone().unwrap_or_else(|| "none".to_owned()), "method" => method, "status" => status.to_string()
    )
    .record(begun.elapsed());
    add_headers(response.headers_mut(), &cause.request, secure);
    let caller = response.extensions().get::<Identity>().map(|caller| (caller.user, caller.session));
    let code = error.map(|error| error.code);
    let fault = code.filter(|code| code.is_fault()).map(Code::name);
    span.end(fault, || attributes(method, route.as_deref(), status));
    let line = RequestLine { cause, method, route, status, code, caller, bytes_in, begun };
    response.map(|body| logged(body, lines, line))
}

fn attributes(method: &'static str, route: Option<&str>, status: u16) -> Vec<Attribute> {
    let mut attributes =
        vec![("http.request.method", method.into()), ("http.response.status_code", i64::from(status).into())];
    attributes.extend(route.map(|route| ("http.route", route.to_owned().into())));
    attributes
}

/// What a head announces; without it, as for an upgrade, there is no body or one of unknown length.
fn content_length(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(0)
}

/// What axum refuses before a handler sees it (a path that is not UTF-8), in its own words as plain text.
fn refused_by_framework(response: &Response<Body>) -> Option<ApiError> {
    let content_type = response.headers().get(header::CONTENT_TYPE)?;
    let plain = content_type.as_bytes().starts_with(b"text/plain");
    match response.status() {
        status if plain && status.is_client_error() => {
            Some(ApiError::new(Code::Malformed, "the address or its parameters cannot be read"))
        }
        status if plain && status.is_server_error() => Some(ApiError::from(Code::Internal)),
        _ => None,
    }
}

/// The method as a metric's label and in logs, from a closed set: a client may invent methods, and every value of a
/// label is a series that is kept for the life of the process.
fn method_name(method: &Method) -> &'static str {
    const NAMED: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    NAMED.into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
}

/// The client's own id if it is fit for a log line, else a fresh one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    given
        .filter(|text| check::visible_ascii(text))
        .map_or_else(|| EventId::fresh().to_string(), str::to_owned)
}

fn add_headers(headers: &mut HeaderMap, id: &str, secure: bool) {
    for (name, value) in SECURITY {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if secure {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
}

fn write_problem(response: &mut Response<Body>, error: &ApiError, id: &str) {
    let json = serde_json::to_vec(&error.problem(id)).expect("a problem document has string keys only");
    *response.status_mut() = error.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(json.len()));
    if error.status() == StatusCode::UNAUTHORIZED {
        // RFC 9110 §11.6.1: a 401 names the scheme that is expected.
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(wait) = error.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    if let Some((class, rule)) = error.limit {
        let seconds = error.retry_after.map_or(1, whole_seconds);
        let left = format!("\"{}\";r=0;t={seconds}", class.name());
        let policy = format!("\"{}\";q={};w={}", class.name(), rule.count, rule.window.as_secs());
        headers.extend(HeaderValue::from_str(&left).ok().map(|value| (RATE_LIMIT, value)));
        headers.extend(HeaderValue::from_str(&policy).ok().map(|value| (RATE_LIMIT_POLICY, value)));
    }
    *response.body_mut() = Body::from(json);
}

/// Rounded up: coming back early is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0 || wait.is_zero())
}

/// A panic is a bug: it is counted, logged, and answered like any other internal error.
#[expect(clippy::needless_pass_by_value, reason = "tower-http hands the payload over")]
pub fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = payload.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
    metrics::counter!("natter_panics_total").increment(1);
    error!(panic = message, "a handler panicked; its request is answered 500");
    ApiError::from(Code::Internal).into_response()
}
