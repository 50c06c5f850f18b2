//! Register, log in, renew, log out; which sessions are open.

use std::{sync::Arc, time::Duration};

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use cookie::{Cookie, SameSite};
use natter_runtime::shared_state::LogInOutcome;
use natter_schemas::{
    code::Code,
    event::Timestamp,
    id::SessionId,
    limits,
    rest::{Items, Login, OpenSessionView, Refresh, Register, SessionView},
    rpc::{EndSession, ListSessions, LogIn, LogOut, OpenedSession, RefreshSession, RegisterUser},
};

use super::{
    extract::{Caller, Json, OptionalJson, segment},
    respond::location,
};
use crate::{api_error::ApiError, app::App, client_address::ClientAddress, costs, wire::encode};

const COOKIE: &str = "natter_refresh";

pub async fn register(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    Json(body): Json<Register>,
) -> Result<Response, ApiError> {
    let Register { username, email, password, display_name } = body;
    let opened =
        app.rpc.caused_by(client.ip).call(&RegisterUser { username, email, password, display_name }).await?;
    app.admission.know_network(&opened.user, client.network()).await;
    let created = location(&format!("/api/users/{}", opened.user.id));
    let session = session(&app, StatusCode::CREATED, opened, client)?;
    Ok((created, session).into_response())
}

/// Beside the address, which the gate has counted, the account is counted: it may be tried from many addresses.
pub async fn login(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    Json(body): Json<Login>,
) -> Result<Response, ApiError> {
    let attempt = app.admission.attempt_log_in(&body.login, client.network()).await?;
    let opened =
        app.rpc.caused_by(client.ip).call(&LogIn { login: body.login, password: body.password }).await;
    match &opened {
        Ok(opened) => {
            attempt.settle(LogInOutcome::Succeeded).await;
            app.admission.know_network(&opened.user, client.network()).await;
        }
        Err(error) if error.code == Code::BadCredentials => {}
        Err(_) => attempt.settle(LogInOutcome::Undecided).await,
    }
    session(&app, StatusCode::OK, opened?, client)
}

pub async fn refresh(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson<Refresh>,
) -> Result<Response, ApiError> {
    let token = body.refresh_token.or_else(|| refresh_cookie(&headers)).ok_or_else(|| {
        ApiError::new(Code::Unauthenticated, "neither refreshToken nor the cookie was sent")
    })?;
    let RefreshToken { session: named, secret } = RefreshToken::read(&token);
    let bucket =
        named.map_or_else(|| blake3::hash(secret.as_bytes()).to_hex().to_string(), |id| id.to_string());
    app.admission.take(costs::RENEWAL, &bucket).await?;
    let opened =
        app.rpc.caused_by(client.ip).call(&RefreshSession { refresh_token: secret.to_owned() }).await?;
    app.admission.know_network(&opened.user, client.network()).await;
    session(&app, StatusCode::OK, opened, client)
}

/// A refresh token as clients have it: opaque to them. The session in front of the secret proves nothing, it says whose
/// limit a renewal counts against before the secret is looked up.
struct RefreshToken<'a> {
    /// `None` in tokens from before there was one.
    session: Option<SessionId>,
    secret: &'a str,
}

impl<'a> RefreshToken<'a> {
    fn read(text: &'a str) -> Self {
        let named = text.split_once('.').and_then(|(id, secret)| Some((id.parse().ok()?, secret)));
        match named {
            Some((session, secret)) => Self { session: Some(session), secret },
            None => Self { session: None, secret: text },
        }
    }

    fn write(opened: &OpenedSession) -> String {
        format!("{}.{}", opened.session, opened.refresh_token)
    }
}

/// The keys by which other services check access tokens.
pub async fn public_keys(State(app): State<Arc<App>>) -> Response {
    // As long as an edge with a new key may run before one that signs with it.
    let cache = [(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"))];
    (cache, Reply(app.tokens.published())).into_response()
}

pub async fn logout(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
) -> Result<Response, ApiError> {
    app.rpc
        .caused_by(client.ip)
        .call(&LogOut { user: caller.user(), session: Some(caller.session()) })
        .await?;
    logged_out(client)
}

pub async fn logout_all(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
) -> Result<Response, ApiError> {
    app.rpc.caused_by(client.ip).call(&LogOut { user: caller.user(), session: None }).await?;
    logged_out(client)
}

/// The newest ones, and one's own whenever it was opened.
pub async fn sessions(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<Reply<Items<OpenSessionView>>, ApiError> {
    let (user, own) = (caller.user(), caller.session());
    let mut open = app.rpc.call(&ListSessions { user, limit: limits::SESSIONS_LISTED }).await?;
    if !open.contains(&own) {
        open.truncate(limits::SESSIONS_LISTED - 1);
        open.push(own);
    }
    let view =
        |id: SessionId| OpenSessionView { id, created_at: id.made_at().map(Timestamp), current: id == own };
    Ok(Reply(Items { items: open.into_iter().map(view).collect() }))
}

pub async fn end_session(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.rpc.caused_by(client.ip).call(&EndSession { user: caller.user(), session: segment(&id)? }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn session(
    app: &App,
    status: StatusCode,
    opened: OpenedSession,
    client: ClientAddress,
) -> Result<Response, ApiError> {
    let token = app.tokens.issue(opened.user.id, opened.session, app.clock.now())?;
    let refresh_token = RefreshToken::write(&opened);
    let cookie = [(header::SET_COOKIE, refresh_cookie_for(app, &opened, client)?)];
    let view = SessionView {
        user: encode::own_user(opened.user),
        session_id: opened.session,
        token,
        refresh_token,
        expires_in: app.config.jwt_expires_in.as_secs(),
    };
    Ok((status, cookie, Reply(view)).into_response())
}

/// What renews a session that was opened.
pub fn refresh_cookie_for(
    app: &App,
    opened: &OpenedSession,
    client: ClientAddress,
) -> Result<HeaderValue, ApiError> {
    let token = RefreshToken::write(opened);
    let [(_, cookie)] = set_cookie(&token, app.config.refresh_expires_in, client.secure)?;
    Ok(cookie)
}

/// The cookie is removed by one that is empty and has expired.
fn logged_out(client: ClientAddress) -> Result<Response, ApiError> {
    Ok((StatusCode::NO_CONTENT, no_cookie(client)?).into_response())
}

pub fn no_cookie(client: ClientAddress) -> Result<[(HeaderName, HeaderValue); 1], ApiError> {
    set_cookie("", Duration::ZERO, client.secure)
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
    cookie_named(headers, COOKIE)
}

pub fn cookie_named(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = texts.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_names_its_session_and_older_ones_name_none() {
        let session = SessionId::fresh();
        let text = format!("{session}.s3cret");
        let token = RefreshToken::read(&text);
        assert_eq!((token.session, token.secret), (Some(session), "s3cret"));
        for older in ["s3cret", "no-session.s3cret", ""] {
            let token = RefreshToken::read(older);
            assert_eq!((token.session, token.secret), (None, older));
        }
    }

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
