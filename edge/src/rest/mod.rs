//! HTTP. All routes on one page, handlers by noun. Failures leave as an `ApiError` and become a problem document in
//! the outermost layer.

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderValue, Method, header},
    middleware,
    routing::{get, patch, post, put},
};
use natter_schemas::code::Code;
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer};

mod extract; // bodies, queries, paths, headers, the caller
mod respond; // request ids, problem documents, security headers

mod accounts; // register, log in, renew, log out
mod conversations; // create, list, get, rename
mod health; // whether this node is healthy
mod inbox; // what was not read yet
mod members; // who is in a group, who is blocked
mod messages; // read and post
mod moderate; // edit, delete, react
mod presence; // who is online
mod users; // profiles

pub use extract::Peer;

use crate::{api_error::ApiError, app::App, upgrade::upgrade};

pub fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/auth/register", post(accounts::register))
        .route("/api/auth/login", post(accounts::login))
        .route("/api/auth/refresh", post(accounts::refresh))
        .route("/api/auth/logout", post(accounts::logout))
        .route("/api/auth/logout-all", post(accounts::logout_all))
        .route("/api/me", get(users::me).patch(users::update_me))
        .route("/api/me/password", post(users::change_password))
        .route("/api/users", get(users::search))
        .route("/api/users/{id}", get(users::get))
        .route("/api/conversations", get(conversations::list).post(conversations::create))
        .route("/api/conversations/{id}", get(conversations::get).patch(conversations::rename))
        .route("/api/conversations/{id}/messages/{seq}", patch(moderate::edit).delete(moderate::delete))
        .route(
            "/api/conversations/{id}/messages/{seq}/reactions/{emoji}",
            put(moderate::react).delete(moderate::unreact),
        )
        .route("/api/messages", get(messages::list).post(messages::post))
        .route("/api/messages/read", post(messages::read))
        .route("/api/conversations/{id}/participants", post(members::add))
        .route(
            "/api/conversations/{id}/participants/{user}",
            patch(members::set_role).delete(members::remove),
        )
        .route("/api/inbox", get(inbox::list))
        .route("/api/blocks", get(members::blocks))
        .route("/api/blocks/{user}", put(members::block).delete(members::unblock))
        .route("/api/presence/heartbeat", post(presence::heartbeat))
        .route("/api/presence/status/{user}", get(presence::status))
        .route("/api/presence/status/batch", post(presence::batch))
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/ws", get(upgrade))
        .fallback(|| async { ApiError::new(Code::NotFound, "no such address") })
        .method_not_allowed_fallback(|| async { ApiError::from(Code::MethodNotAllowed) })
        .layer(CatchPanicLayer::custom(respond::panicked))
        .layer(cors(app))
        .layer(middleware::from_fn(respond::finish))
        .with_state(app.clone())
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
            header::HeaderName::from_static("traceparent"),
        ])
        .expose_headers([
            header::HeaderName::from_static("ratelimit"),
            header::HeaderName::from_static("ratelimit-policy"),
            header::HeaderName::from_static("x-request-id"),
            header::HeaderName::from_static("idempotency-replayed"),
            header::RETRY_AFTER,
        ])
        .allow_credentials(true)
        .max_age(std::time::Duration::from_hours(1))
}
