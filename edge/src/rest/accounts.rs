//! Register, log in, renew, log out.

use std::{sync::Arc, time::Duration};

use axum::{
    Json as Reply,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use cookie::{Cookie, SameSite};
use natter_runtime::rates::Class;
use natter_schemas::{
    code::Code,
    rest::{Login, Refresh, Register, SessionView},
    rpc::{LogIn, LogOut, OpenedSession, RefreshSession, RegisterUser},
};

use super::extract::{Address, Caller, Json, OptionalJson};
use crate::{api_error::ApiError, app::App, wire::encode};

const COOKIE: &str = "natter_refresh";

pub async fn register(
    State(app): State<Arc<App>>,
    Address(address): Address,
    headers: HeaderMap,
    Json(body): Json<Register>,
) -> Result<Response, ApiError> {
    app.admission.take(Class::Login, &address).await?;
    let Register { username, email, password, display_name } = body;
    let opened = app.rpc.call(&RegisterUser { username, email, password, display_name }).await?;
    session(&app, StatusCode::CREATED, opened, &headers)
}

pub async fn login(
    State(app): State<Arc<App>>,
    Address(address): Address,
    headers: HeaderMap,
    Json(body): Json<Login>,
) -> Result<Response, ApiError> {
    app.admission.take(Class::Login, &address).await?;
    let opened = app.rpc.call(&LogIn { login: body.login, password: body.password }).await?;
    session(&app, StatusCode::OK, opened, &headers)
}

pub async fn refresh(
    State(app): State<Arc<App>>,
    Address(address): Address,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson<Refresh>,
) -> Result<Response, ApiError> {
    app.admission.take(Class::Login, &address).await?;
    let refresh_token = body.refresh_token.or_else(|| refresh_cookie(&headers)).ok_or_else(|| {
        ApiError::new(Code::Unauthenticated, "neither refreshToken nor the cookie was sent")
    })?;
    let opened = app.rpc.call(&RefreshSession { refresh_token }).await?;
    session(&app, StatusCode::OK, opened, &headers)
}

pub async fn logout(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    app.rpc.call(&LogOut { user: caller.user(), session: Some(caller.session()) }).await?;
    logged_out()
}

pub async fn logout_all(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    app.rpc.call(&LogOut { user: caller.user(), session: None }).await?;
    logged_out()
}

fn session(
    app: &App,
    status: StatusCode,
    opened: OpenedSession,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let token = app.tokens.issue(opened.user.id, opened.session, app.clock.now())?;
    let secure = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let cookie = set_cookie(&opened.refresh_token, app.config.refresh_expires_in, secure)?;
    let view = SessionView {
        user: encode::own_user(opened.user),
        session_id: opened.session,
        token,
        refresh_token: opened.refresh_token,
        expires_in: app.config.jwt_expires_in.as_secs(),
    };
    Ok((status, cookie, Reply(view)).into_response())
}

/// The cookie is removed by one that is empty and has expired.
fn logged_out() -> Result<Response, ApiError> {
    let cookie = set_cookie("", Duration::ZERO, false)?;
    Ok((StatusCode::NO_CONTENT, cookie).into_response())
}

/// Sent only to the auth routes, never from other sites, never readable by scripts.
fn set_cookie(token: &str, age: Duration, secure: bool) -> Result<[(HeaderName, HeaderValue); 1], ApiError> {
    let max_age = cookie::time::Duration::try_from(age).unwrap_or(cookie::time::Duration::MAX);
    let cookie = Cookie::build((COOKIE, token))
        .path("/api/auth")
        .max_age(max_age)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(secure)
        .build();
    let value = HeaderValue::from_str(&cookie.to_string()).map_err(|error| {
        tracing::error!(%error, "a refresh token does not fit a header");
        ApiError::from(Code::Internal)
    })?;
    Ok([(header::SET_COOKIE, value)])
}

fn refresh_cookie(headers: &HeaderMap) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = texts.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == COOKIE).map(|cookie| cookie.value().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_was_set_is_found_among_others() {
        let [(_, set)] = set_cookie("t0ken", Duration::from_mins(1), true).expect("a header");
        assert_eq!(
            set.to_str().expect("text"),
            "natter_refresh=t0ken; HttpOnly; SameSite=Strict; Secure; Path=/api/auth; Max-Age=60"
        );
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("broken; a=b"));
        assert_eq!(refresh_cookie(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("c=d; natter_refresh=t0ken"));
        assert_eq!(refresh_cookie(&headers), Some("t0ken".to_owned()));
    }
}
