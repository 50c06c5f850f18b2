//! The web client: its page under every address that the client has a view for, and its files.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
use natter_schemas::{
    code::Code,
    rest::{DemoPersonView, Items},
};

use crate::{api_error::ApiError, app::App, web::accepts_page};

pub async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    app.config.web.page(StatusCode::OK, &headers).ok_or_else(absent)
}

/// A file at its own path: those whose names have a hash, and those that browsers look for by their names.
pub async fn file(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    app.config.web.answer(uri.path().trim_start_matches('/'), &headers).ok_or_else(absent)
}

/// The API reference.
pub async fn reference(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    app.config.web.answer("reference/index.html", &headers).ok_or_else(absent)
}

pub async fn reference_file(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    app.config.web.answer(&format!("reference/{name}"), &headers).ok_or_else(absent)
}

/// Who anyone may log in as: there is someone in `natter dev --demo` alone.
pub async fn demo(State(app): State<Arc<App>>) -> Reply<Items<DemoPersonView>> {
    Reply(Items { items: app.config.demo.clone() })
}

/// Below these are programs' addresses, whoever asks for them.
const OF_PROGRAMS: [&str; 5] = [".well-known", "api", "assets", "health", "ws"];

/// Nothing is at this address. The page says it to a person, in their language and with a way back.
pub async fn no_such_address(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let first = uri.path().trim_start_matches('/').split('/').next().unwrap_or_default();
    let reads = method == Method::GET || method == Method::HEAD;
    let page = (reads && !OF_PROGRAMS.contains(&first) && accepts_page(&headers))
        .then(|| app.config.web.page(StatusCode::NOT_FOUND, &headers))
        .flatten();
    let mut response = page.ok_or_else(|| ApiError::new(Code::NotFound, "no such address"))?;
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

fn absent() -> ApiError {
    ApiError::new(Code::NotFound, "no such file")
}
