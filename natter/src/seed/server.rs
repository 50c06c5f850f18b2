//! The public API with patience: waits as long as the server asks for, and says in a sentence what is wrong.

use std::{fmt, time::Duration};

use anyhow::Context;
use natter_schemas::rest::Problem;
use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;

const ANSWER: Duration = Duration::from_mins(1);
/// Without a `Retry-After`.
const PAUSE: Duration = Duration::from_secs(1);
/// A server that is busy, or whose NATS changes its leader, comes back within this many pauses.
const UNAVAILABLE: usize = 30;

/// Opens a conversation.
pub const OPEN: &str = "/api/conversations";

pub struct Server {
    http: reqwest::Client,
    url: String,
}

/// What one call says.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub token: Option<&'a str>,
    pub body: &'a Value,
}

/// An answer that is none of success.
#[derive(Debug)]
pub struct Refused {
    pub status: StatusCode,
    pub code: String,
    text: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

impl std::error::Error for Refused {}

impl Server {
    /// Of a server that is there and well.
    pub async fn find(url: &str) -> anyhow::Result<Self> {
        // The server is named exactly; a proxy of the surroundings has no business with it.
        let http = reqwest::Client::builder().timeout(ANSWER).no_proxy().build()?;
        let server = Self { http, url: url.trim_end_matches('/').to_owned() };
        let health = format!("{}/health", server.url);
        let answer = server.http.get(&health).send().await.with_context(|| server.away())?;
        anyhow::ensure!(
            answer.status().is_success(),
            "{health} answers {}: is that Natter?",
            answer.status()
        );
        Ok(server)
    }

    fn away(&self) -> String {
        format!(
            "{} does not answer; is Natter running there? What was made stays: the same command goes on",
            self.url
        )
    }

    /// Success, or what was refused; waits out rate limits, and moments of unavailability where the same call may
    /// be made twice.
    pub async fn call(&self, call: &Call<'_>) -> anyhow::Result<Result<Response, Refused>> {
        let mut unavailable = 0;
        // A group opened twice is two groups: the next run looks whether it is there.
        let repeatable = call.path != OPEN;
        loop {
            let response = self.send(call).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(Ok(response));
            }
            let wait = retry_after(&response);
            let refused = refused(response).await;
            let busy = repeatable && status == StatusCode::SERVICE_UNAVAILABLE;
            unavailable += usize::from(busy);
            if status != StatusCode::TOO_MANY_REQUESTS && (!busy || unavailable > UNAVAILABLE) {
                return Ok(Err(refused));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn send(&self, call: &Call<'_>) -> anyhow::Result<Response> {
        let mut request = self.http.request(call.method.clone(), format!("{}{}", self.url, call.path));
        if let Some(token) = call.token {
            request = request.bearer_auth(token);
        }
        if !call.body.is_null() {
            request = request.json(call.body);
        }
        request.send().await.with_context(|| self.away())
    }
}

fn retry_after(response: &Response) -> Duration {
    let seconds =
        response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(PAUSE, Duration::from_secs)
}

async fn refused(response: Response) -> Refused {
    let status = response.status();
    match response.json::<Problem>().await {
        Ok(problem) => {
            let text = format!("{}: {}", problem.title, problem.detail);
            Refused { status, code: problem.code.name().to_owned(), text }
        }
        Err(_) => Refused { status, code: status.to_string(), text: "not an answer of Natter".to_owned() },
    }
}
