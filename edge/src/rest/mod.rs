//! HTTP. All routes on one page, handlers by noun. Failures leave as an `ApiError` and become a problem document in
//! the outermost layer.

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderValue, Method, header},
    middleware,
};
use natter_schemas::code::Code;
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer};

mod host; // whom a request is for
mod gate; // who calls, and what the route takes of their tokens
mod compress; // which answers are compressed
mod cursors; // where a page ended
mod extract; // bodies, queries, paths, headers, the caller
mod respond; // request ids, problem documents, security headers

mod accounts; // register, log in, renew, log out, sessions
mod provider; // log in by an OpenID Connect provider
mod recovery; // a new password and a new address by a link
mod conversations; // create, list, get, rename
mod health; // whether this node is healthy
mod inbox; // what was not read yet
mod members; // who is in a group, who is blocked
mod messages; // read and post
mod moderate; // edit, delete, react
mod presence; // who is online
mod users; // profiles
mod web; // the web client, and who the demo is for

mod documents; // the contract, for programs
#[cfg(test)]
mod openapi; // what it says about these routes

use crate::{api_error::ApiError, app::App, upgrade::upgrade};

pub use health::show as show_parts;

pub fn router(app: &Arc<App>) -> Router {
    api(app)
        .merge(pages(app))
        .fallback(gate::fallback(app, web::no_such_address))
        .method_not_allowed_fallback(|| async { ApiError::from(Code::MethodNotAllowed) })
        .layer(compress::layer())
        .layer(CatchPanicLayer::custom(respond::panicked))
        .layer(cors(app))
        .layer(middleware::from_fn(host::check))
        .layer(middleware::from_fn_with_state(app.lines.clone(), respond::finish))
        .with_state(app.clone())
}

/// One line a route. What it costs, and whose tokens it takes, is in `costs.rs`.
macro_rules! routes {
    ($app:ident: $($method:ident $path:literal $handler:path;)*) => {
        Router::new()$(.route($path, gate::route($app, Method::$method, $path, $handler)))*
    };
}

fn api(app: &Arc<App>) -> Router<Arc<App>> {
    routes! { app:
        POST "/api/auth/register" accounts::register;
        POST "/api/auth/login" accounts::login;
        POST "/api/auth/refresh" accounts::refresh;
        POST "/api/auth/password-reset" recovery::request_password_reset;
        POST "/api/auth/password-reset/confirm" recovery::reset_password;
        POST "/api/auth/email-change/confirm" recovery::change_email;
        GET "/api/auth/options" provider::options;
        GET "/api/auth/oidc/start" provider::start;
        GET "/api/auth/oidc/callback" provider::callback;
        POST "/api/auth/logout" accounts::logout;
        POST "/api/auth/logout-all" accounts::logout_all;
        GET "/api/auth/sessions" accounts::sessions;
        DELETE "/api/auth/sessions/{session}" accounts::end_session;
        GET "/.well-known/jwks.json" accounts::public_keys;
        GET "/api/me" users::me;
        PATCH "/api/me" users::update_me;
        DELETE "/api/me" users::erase_me;
        POST "/api/me/password" users::change_password;
        POST "/api/me/email" recovery::request_email_change;
        POST "/api/me/identities" provider::link;
        GET "/api/users" users::search;
        GET "/api/users/{id}" users::get;
        GET "/api/conversations" conversations::list;
        POST "/api/conversations" conversations::create;
        GET "/api/conversations/{id}" conversations::get;
        PATCH "/api/conversations/{id}" conversations::rename;
        PATCH "/api/conversations/{id}/messages/{seq}" moderate::edit;
        DELETE "/api/conversations/{id}/messages/{seq}" moderate::delete;
        GET "/api/conversations/{id}/messages/{seq}/reactions/{emoji}" moderate::reactors;
        PUT "/api/conversations/{id}/messages/{seq}/reactions/{emoji}" moderate::react;
        DELETE "/api/conversations/{id}/messages/{seq}/reactions/{emoji}" moderate::unreact;
        GET "/api/conversations/{id}/messages/{seq}" messages::get;
        GET "/api/messages" messages::list;
        POST "/api/messages" messages::post;
        POST "/api/messages/read" messages::read;
        GET "/api/conversations/{id}/participants" members::list;
        POST "/api/conversations/{id}/participants" members::add;
        PATCH "/api/conversations/{id}/participants/{user}" members::set_role;
        DELETE "/api/conversations/{id}/participants/{user}" members::remove;
        GET "/api/inbox" inbox::list;
        GET "/api/blocks" members::blocks;
        PUT "/api/blocks/{user}" members::block;
        DELETE "/api/blocks/{user}" members::unblock;
        POST "/api/presence/heartbeat" presence::heartbeat;
        GET "/api/presence/status/{user}" presence::status;
        POST "/api/presence/status/batch" presence::batch;
        GET "/ws" upgrade;
    }
}

/// The web client, the documents of the contract, and the state of the node.
fn pages(app: &Arc<App>) -> Router<Arc<App>> {
    routes! { app:
        GET "/api/demo" web::demo;
        GET "/" web::page;
        GET "/login" web::page;
        GET "/register" web::page;
        GET "/settings" web::page;
        GET "/forgot-password" web::page;
        GET "/reset-password" web::page;
        GET "/confirm-email" web::page;
        GET "/c/{conversation}" web::page;
        GET "/c/{conversation}/{seq}" web::page;
        GET "/assets/{name}" web::file;
        GET "/api/docs" web::reference;
        GET "/api/docs/{name}" web::reference_file;
        GET "/icon.svg" web::file;
        GET "/icons/{name}" web::file;
        GET "/manifest.webmanifest" web::file;
        GET "/sw.js" web::file;
        GET "/api/openapi.json" documents::openapi;
        GET "/api/asyncapi.json" documents::asyncapi;
        GET "/health" health::health;
        GET "/health/live" health::live;
        GET "/health/ready" health::ready;
    }
}

fn cors(app: &App) -> CorsLayer {
    let origins = app.config.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::HeaderName::from_static("idempotency-key"),
            header::HeaderName::from_static("x-request-id"),
            // What tracing adds to the requests of a page (W3C Trace Context, W3C Baggage).
            header::HeaderName::from_static("traceparent"),
            header::HeaderName::from_static("tracestate"),
            header::HeaderName::from_static("baggage"),
        ])
        .expose_headers([
            header::HeaderName::from_static("ratelimit"),
            header::HeaderName::from_static("ratelimit-policy"),
            header::HeaderName::from_static("x-request-id"),
            header::HeaderName::from_static("idempotency-replayed"),
            header::RETRY_AFTER,
            header::LOCATION,
            header::ETAG,
        ])
        .allow_credentials(true)
        .max_age(std::time::Duration::from_hours(1))
}
