//! A client of the public API that waits as long as the server asks for, and whose errors are whole sentences.

use std::{fmt, time::Duration};

use anyhow::Context;
use natter_schemas::rest::Problem;
use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;

const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// When the answer has no `Retry-After`.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);
/// Attempts. A server that is busy, or whose NATS elects a leader, is back before they are used up.
const MAX_UNAVAILABLE: usize = 30;

/// A `POST` here opens a conversation.
pub const CONVERSATIONS: &str = "/api/conversations";

pub struct ApiClient {
    http: reqwest::Client,
    url: String,
}

#[derive(Clone, Copy)]
pub struct ApiRequest<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub token: Option<&'a str>,
    pub body: &'a Value,
}

/// An answer with a status other than success.
#[derive(Debug)]
pub struct ApiFailure {
    pub status: StatusCode,
    pub code: String,
    text: String,
}

impl fmt::Display for ApiFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

impl std::error::Error for ApiFailure {}

impl ApiClient {
    /// Fails unless the server answers and is healthy.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        // The address is exact: a proxy configured in the environment is not used.
        let http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build()?;
        let client = Self { http, url: url.trim_end_matches('/').to_owned() };
        let health = format!("{}/health", client.url);
        let answer = client.http.get(&health).send().await.with_context(|| client.unreachable())?;
        anyhow::ensure!(
            answer.status().is_success(),
            "{health} answers {}: is that Natter?",
            answer.status()
        );
        Ok(client)
    }

    fn unreachable(&self) -> String {
        format!(
            "{} does not answer; is Natter running there? What was made stays: the same command goes on",
            self.url
        )
    }

    /// The answer, or why the server rejected the request. Waits out rate limits, and short outages where the
    /// same request may be sent twice.
    pub async fn send(&self, request: &ApiRequest<'_>) -> anyhow::Result<Result<Response, ApiFailure>> {
        let mut unavailable = 0;
        // A group opened twice is two groups: the next run of the command looks for it first.
        let repeatable = request.path != CONVERSATIONS;
        loop {
            let response = self.send_once(request).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(Ok(response));
            }
            let wait = retry_after(&response);
            let failure = failure_of(response).await;
            let busy = repeatable && status == StatusCode::SERVICE_UNAVAILABLE;
            unavailable += usize::from(busy);
            if status != StatusCode::TOO_MANY_REQUESTS && (!busy || unavailable > MAX_UNAVAILABLE) {
                return Ok(Err(failure));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn send_once(&self, request: &ApiRequest<'_>) -> anyhow::Result<Response> {
        let ApiRequest { method, path, token, body } = *request;
        let mut http = self.http.request(method.clone(), format!("{}{path}", self.url));
        if let Some(token) = token {
            http = http.bearer_auth(token);
        }
        if !body.is_null() {
            http = http.json(body);
        }
        http.send().await.with_context(|| self.unreachable())
    }
}

fn retry_after(response: &Response) -> Duration {
    let seconds =
        response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(DEFAULT_RETRY_AFTER, Duration::from_secs)
}

async fn failure_of(response: Response) -> ApiFailure {
    let status = response.status();
    match response.json::<Problem>().await {
        Ok(problem) => {
            let text = format!("{}: {}", problem.title, problem.detail);
            ApiFailure { status, code: problem.code.name().to_owned(), text }
        }
        Err(_) => ApiFailure { status, code: status.to_string(), text: "not an answer of Natter".to_owned() },
    }
}
