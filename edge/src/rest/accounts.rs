//! Register, log in, renew, log out.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use natter_runtime::rates::Class;
use natter_schemas::{
    code::Code,
    event::Timestamp,
    rest::{Login, Refresh, Register, SessionView},
    rpc::{LogIn, LogOut, Opened, RegisterUser, Renew},
};

use super::extract::{Address, Caller, Json, OptionalJson};
use crate::{api_error::ApiError, app::Edge, outbound::encode};

const COOKIE: &str = "natter_refresh";

pub async fn register(
    State(edge): State<Arc<Edge>>,
    Address(address): Address,
    headers: HeaderMap,
    Json(body): Json<Register>,
) -> Result<Response, ApiError> {
    edge.limiter.take(Class::Login, &address).await?;
    let Register { username, email, password, display_name } = body;
    let opened = edge.rpc.call(&RegisterUser { username, email, password, display_name }).await?;
    session(&edge, StatusCode::CREATED, opened, &headers)
}

pub async fn login(
    State(edge): State<Arc<Edge>>,
    Address(address): Address,
    headers: HeaderMap,
    Json(body): Json<Login>,
) -> Result<Response, ApiError> {
    edge.limiter.take(Class::Login, &address).await?;
    let opened = edge.rpc.call(&LogIn { login: body.login, password: body.password }).await?;
    session(&edge, StatusCode::OK, opened, &headers)
}

pub async fn refresh(
    State(edge): State<Arc<Edge>>,
    Address(address): Address,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson<Refresh>,
) -> Result<Response, ApiError> {
    edge.limiter.take(Class::Login, &address).await?;
    let refresh_token = body.refresh_token.or_else(|| cookie(&headers)).ok_or_else(|| {
        ApiError::new(Code::Unauthenticated, "neither refreshToken nor the cookie was sent")
    })?;
    let opened = edge.rpc.call(&Renew { refresh_token }).await?;
    session(&edge, StatusCode::OK, opened, &headers)
}

pub async fn logout(State(edge): State<Arc<Edge>>, caller: Caller) -> Result<Response, ApiError> {
    edge.rpc.call(&LogOut { user: caller.user(), session: Some(caller.session()) }).await?;
    Ok(gone())
}

pub async fn logout_all(State(edge): State<Arc<Edge>>, caller: Caller) -> Result<Response, ApiError> {
    edge.rpc.call(&LogOut { user: caller.user(), session: None }).await?;
    Ok(gone())
}

fn session(
    edge: &Edge,
    status: StatusCode,
    opened: Opened,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let token = edge.tokens.issue(opened.user.id, opened.session, Timestamp::now())?;
    let age = edge.config.refresh_expires_in.as_secs();
    let secure = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let cookie = set_cookie(&opened.refresh_token, age, secure);
    let view = SessionView {
        user: encode::own_user(opened.user),
        session_id: opened.session,
        token,
        refresh_token: opened.refresh_token,
        expires_in: edge.config.jwt_expires_in.as_secs(),
    };
    Ok((status, cookie, Reply(view)).into_response())
}

fn gone() -> Response {
    (StatusCode::NO_CONTENT, set_cookie("", 0, false)).into_response()
}

/// Sent only to the auth routes, never from other sites, never readable by scripts.
fn set_cookie(token: &str, age: u64, secure: bool) -> [(header::HeaderName, HeaderValue); 1] {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{COOKIE}={token}; Path=/api/auth; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    let value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    [(header::SET_COOKIE, value)]
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned())
}
