//! Log-in by an OpenID Connect provider: the browser goes there and comes back. What it keeps meanwhile is a cookie, what it
//! comes back with is judged by the service. What fails is shown by the page that the browser is on its way to; programs get the
//! problem itself.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use cookie::{Cookie, SameSite};
use natter_schemas::{
    code::Code,
    limits,
    rest::{LinkStartedView, LogInOptionsView, ProviderView},
    rpc::{FinishProviderLogIn, GetLogInOptions, GetMailOption, ProviderLogIn, StartProviderLogIn},
};

use super::{
    accounts::{cookie_named, refresh_cookie_for},
    extract::{Caller, Params},
};
use crate::{api_error::ApiError, app::App, client_address::ClientAddress, web::accepts_page};

/// Where a log-in ends, whatever was asked for: no address of a request is ever redirected to.
const HOME: &str = "/";
const LINKED: &str = "/settings?linked=true";

pub async fn options(State(app): State<Arc<App>>) -> Result<Reply<LogInOptionsView>, ApiError> {
    let options = app.rpc.call(&GetLogInOptions).await?;
    // Workers of the version before know no mail.
    let mail = app.rpc.call(&GetMailOption).await.unwrap_or(false);
    let provider = options.provider.map(|name| ProviderView { name });
    Ok(Reply(LogInOptionsView { passwords: options.passwords, provider, mail }))
}

pub async fn start(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    match app.rpc.call(&StartProviderLogIn { link: None }).await {
        Ok(started) => Ok(found(&started.url, [attempt_cookie(&started.attempt, client.secure)?])),
        Err(error) => refused(&headers, error.into(), []),
    }
}

/// The page goes to the provider itself: an answer to `fetch` cannot take it there.
pub async fn link(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
) -> Result<Response, ApiError> {
    let started = app.rpc.call(&StartProviderLogIn { link: Some(caller.user()) }).await?;
    let cookie = attempt_cookie(&started.attempt, client.secure)?;
    Ok(([(header::SET_COOKIE, cookie)], Reply(LinkStartedView { url: started.url })).into_response())
}

pub async fn callback(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    headers: HeaderMap,
    params: Result<Params, ApiError>,
) -> Result<Response, ApiError> {
    // An attempt is finished once, however it ends.
    let forgotten = removed_attempt(client.secure)?;
    let outcome = match params.and_then(|params| answered(&headers, &params, client.secure)) {
        Ok(answer) => app.rpc.caused_by(client.ip).call(&answer).await.map_err(ApiError::from),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(ProviderLogIn::Opened(opened)) => {
            app.admission.know_network(&opened.user, client.network()).await;
            Ok(found(HOME, [forgotten, refresh_cookie_for(&app, &opened, client)?]))
        }
        Ok(ProviderLogIn::Linked) => Ok(found(LINKED, [forgotten])),
        Err(error) => refused(&headers, error, [forgotten]),
    }
}

/// What the provider sent the browser back with.
fn answered(headers: &HeaderMap, params: &Params, secure: bool) -> Result<FinishProviderLogIn, ApiError> {
    let parameter = |name: &str| {
        let text = params.get::<String>(name, "text")?;
        if text.as_ref().is_some_and(|text| text.len() > limits::PROVIDER_PARAMETER) {
            return Err(ApiError::new(Code::LoginInvalid, "a parameter is too long"));
        }
        Ok(text)
    };
    Ok(FinishProviderLogIn {
        attempt: cookie_named(headers, attempt_name(secure)),
        state: parameter("state")?,
        code: parameter("code")?,
        issuer: parameter("iss")?,
        error: parameter("error")?,
    })
}

fn refused<const COOKIES: usize>(
    headers: &HeaderMap,
    error: ApiError,
    cookies: [HeaderValue; COOKIES],
) -> Result<Response, ApiError> {
    if accepts_page(headers) { Ok(found(&with_error(error.code), cookies)) } else { Err(error) }
}

fn with_error(code: Code) -> String {
    format!("{HOME}?error={}", code.name())
}

fn found<const COOKIES: usize>(to: &str, cookies: [HeaderValue; COOKIES]) -> Response {
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static(HOME));
    headers.insert(header::LOCATION, to);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// Over TLS a name that no other host of the domain can set (RFC 6265bis §4.1.3.2).
const fn attempt_name(secure: bool) -> &'static str {
    if secure { "__Host-natter_oidc" } else { "natter_oidc" }
}

/// `Lax`: the provider's page sends the browser here, and the cookie must come with it.
fn attempt_cookie(attempt: &str, secure: bool) -> Result<HeaderValue, ApiError> {
    let most = cookie::time::Duration::try_from(limits::PROVIDER_ATTEMPT);
    built(attempt, most.unwrap_or(cookie::time::Duration::ZERO), secure)
}

fn removed_attempt(secure: bool) -> Result<HeaderValue, ApiError> {
    built("", cookie::time::Duration::ZERO, secure)
}

fn built(attempt: &str, age: cookie::time::Duration, secure: bool) -> Result<HeaderValue, ApiError> {
    let cookie = Cookie::build((attempt_name(secure), attempt))
        .path("/")
        .max_age(age)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .build();
    HeaderValue::from_str(&cookie.to_string()).map_err(|error| {
        tracing::error!(%error, "a log-in under way does not fit a header");
        ApiError::from(Code::Internal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_a_cookie_of_this_host_for_ten_minutes() {
        let text = |secure| {
            let cookie = attempt_cookie("s3cret", secure).expect("a header");
            cookie.to_str().expect("text").to_owned()
        };
        let rest = "=s3cret; HttpOnly; SameSite=Lax;";
        assert_eq!(text(true), format!("__Host-natter_oidc{rest} Secure; Path=/; Max-Age=600"));
        assert_eq!(text(false), format!("natter_oidc{rest} Path=/; Max-Age=600"));
    }

    #[test]
    fn an_error_leads_to_the_page_with_its_code() {
        let response = found(&with_error(Code::LoginExpired), []);
        assert_eq!(response.headers()[header::LOCATION], "/?error=login_expired");
        assert_eq!(found("\n", []).headers()[header::LOCATION], HOME);
    }
}
