//! What a request carries: its body, query, path and caller, each refused with the contract's code.

use std::{convert::Infallible, str::FromStr, sync::Arc};

use axum::{
    extract::{FromRequest, FromRequestParts, MatchedPath, Request},
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use garde::Validate;
use natter_schemas::{
    code::Code,
    id::{SessionId, UserId},
    limits::{self, Limits},
    rest::check,
    trace_context::TraceContext,
};
use serde::de::DeserializeOwned;

use crate::{
    api_error::{ApiError, misfit},
    app::App,
    auth::Identity,
    client_address::ClientAddress,
};

/// A validated JSON body.
pub struct Json<T>(pub T);

impl<T> FromRequest<Arc<App>> for Json<T>
where
    T: DeserializeOwned + Validate<Context = Limits>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(Code::UnsupportedMediaType.into());
        }
        let limits = &app.config.limits;
        parse(&read(request, limits.http_body).await?, limits)
    }
}

/// A validated JSON body, or its default when there is none.
pub struct OptionalJson<T>(pub T);

impl<T> FromRequest<Arc<App>> for OptionalJson<T>
where
    T: DeserializeOwned + Validate<Context = Limits> + Default,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let json = is_json(request.headers());
        let limits = &app.config.limits;
        let bytes = read(request, limits.http_body).await?;
        match (bytes.is_empty(), json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => parse(&bytes, limits).map(|Json(value)| Self(value)),
            (false, false) => Err(Code::UnsupportedMediaType.into()),
        }
    }
}

/// The whole body. One that is too large is still read for a while: a connection closed with unread bytes is
/// reset, and the client would see that instead of the answer.
async fn read(request: Request, most: usize) -> Result<Bytes, ApiError> {
    let mut body = request.into_body().into_data_stream();
    let mut bytes = BytesMut::new();
    let mut discarded = 0;
    let reading = async {
        while let Some(chunk) = body.next().await {
            let chunk =
                chunk.map_err(|_| ApiError::new(Code::Malformed, "the body ended before its length"))?;
            if discarded == 0 && bytes.len() + chunk.len() <= most {
                bytes.extend_from_slice(&chunk);
                continue;
            }
            discarded += chunk.len();
            if discarded > limits::HTTP_BODY_DISCARDED {
                break;
            }
        }
        Ok(())
    };
    match tokio::time::timeout(limits::HTTP_BODY_TIMEOUT, reading).await {
        Ok(Ok(())) if discarded == 0 => Ok(bytes.freeze()),
        Ok(Ok(())) => Err(ApiError::new(Code::TooLarge, format!("a body has at most {most} bytes"))),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ApiError::new(Code::Malformed, "the body came too slowly")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = essence.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    essence
        .is_some_and(|e| e == "application/json" || (e.starts_with("application/") && e.ends_with("+json")))
}

fn parse<T>(bytes: &[u8], limits: &Limits) -> Result<Json<T>, ApiError>
where
    T: DeserializeOwned + Validate<Context = Limits>,
{
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| explain(&error))?;
    reader.end().map_err(|_| ApiError::new(Code::Malformed, "there is more than one JSON value"))?;
    // serde takes an array for a struct, field by field.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::invalid(".", "must be a JSON object"));
    }
    match value.validate_with(limits) {
        Ok(()) => Ok(Json(value)),
        Err(report) => Err(ApiError::report(&report)),
    }
}

fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    if !error.inner().is_data() {
        return ApiError::new(Code::Malformed, format!("the body is not JSON: {}", error.inner()));
    }
    let message = misfit(error.inner());
    // A missing field is named by serde in backquotes and has no path of its own.
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let path = error.path().to_string();
    match (missing, path.as_str()) {
        (Some(field), ".") => ApiError::invalid(field, "is missing"),
        (Some(field), path) => ApiError::invalid(format!("{path}.{field}"), "is missing"),
        (None, path) => ApiError::invalid(path, message),
    }
}

/// The authenticated caller, as the gate found it. Behind a gate that asks for no token there is none.
#[derive(Clone, Copy)]
pub struct Caller(Identity);

impl Caller {
    pub fn user(&self) -> UserId {
        self.0.user
    }

    pub fn session(&self) -> SessionId {
        self.0.session
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Identity>().copied();
        caller.map(Self).ok_or_else(|| {
            tracing::error!(
                route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str),
                "a handler wants a caller, and its route asks for no token"
            );
            ApiError::from(Code::Internal)
        })
    }
}

impl FromRequestParts<Arc<App>> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// The query string's parameters.
pub struct Params(Vec<(String, String)>);

impl FromRequestParts<Arc<App>> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, ApiError> {
        axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|_| ApiError::new(Code::Malformed, "the query string cannot be read"))
    }
}

impl Params {
    /// A parameter, `None` when absent.
    pub fn get<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, ApiError> {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match value {
            None => Ok(None),
            Some(text) => {
                text.parse().map(Some).map_err(|_| ApiError::invalid(name, format!("must be {what}")))
            }
        }
    }

    pub fn required<T: FromStr>(&self, name: &str, what: &str) -> Result<T, ApiError> {
        self.get(name, what)?.ok_or_else(|| ApiError::invalid(name, "is missing"))
    }

    /// `cursor`, as an earlier page of the same list gave it. An empty one is none, so that one address reads all pages.
    pub fn cursor<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ApiError> {
        let text = self.get::<String>("cursor", "text")?;
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let cursor = read(&text);
        cursor
            .map(Some)
            .ok_or_else(|| ApiError::invalid("cursor", "must be the nextCursor of an earlier page"))
    }

    /// `limit`, from 1 to `most`.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        let what = format!("a number from 1 to {most}");
        let limit = self.get("limit", &what)?.unwrap_or(default);
        if (1..=most).contains(&limit) {
            Ok(limit)
        } else {
            Err(ApiError::invalid("limit", format!("must be {what}")))
        }
    }
}

/// A part of the path. What is not of its form names nothing that exists.
pub fn segment<T: FromStr>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::from(Code::NotFound))
}

/// What the client says that its request belongs to.
pub fn trace_context(headers: &HeaderMap) -> Option<TraceContext> {
    TraceContext::parse(headers.get("traceparent")?.to_str().ok()?)
}

/// The same, for an event that keeps it.
pub fn traceparent(headers: &HeaderMap) -> Option<String> {
    trace_context(headers).map(|context| context.to_string())
}

/// Says that a response repeats an earlier one.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The client's own name for a request that makes something.
pub fn idempotency_key(headers: &HeaderMap, limits: &Limits) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    check::client_id(text, limits)
        .map_err(|error| ApiError::invalid("Idempotency-Key", error.to_string()))?;
    Ok(Some(text.to_owned()))
}
