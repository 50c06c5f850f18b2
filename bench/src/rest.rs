//! Natter over HTTP: accounts and rooms before a run, history after it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use schemas::{
    event::Shape,
    id::{ConversationId, Seq, UserId},
    rest::{ConversationView, CreateConversation, MessagePage, MessageView, Register, SessionView},
};
use serde::{Serialize, de::DeserializeOwned};

/// A server that hashes passwords as fast as it can still asks some to wait.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Clone)]
pub struct Rest {
    http: reqwest::Client,
    url: String,
}

#[derive(Debug, Clone)]
pub struct Account {
    pub user: UserId,
    pub token: String,
}

impl Rest {
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned() })
    }

    /// `host:port`, where the sockets knock.
    pub fn host(&self) -> anyhow::Result<&str> {
        self.url.strip_prefix("http://").context("the URL must begin with http://")
    }

    pub async fn register(&self, username: String) -> anyhow::Result<Account> {
        let body = Register {
            email: format!("{username}@bench.invalid"),
            username,
            password: "correct horse".into(),
            display_name: None,
        };
        let session: SessionView = self.post("/api/auth/register", None, &body).await?;
        Ok(Account { user: session.user.id, token: session.token })
    }

    pub async fn open_direct(&self, token: &str, other: UserId) -> anyhow::Result<ConversationView> {
        let body = CreateConversation { shape: Shape::Direct, name: None, participant_ids: vec![other] };
        self.post("/api/conversations", Some(token), &body).await
    }

    /// Every message after a seq, page by page.
    pub async fn history(
        &self,
        token: &str,
        room: ConversationId,
        mut after: Seq,
    ) -> anyhow::Result<Vec<MessageView>> {
        let mut messages = Vec::new();
        loop {
            let path = format!("/api/messages?conversationId={room}&after={after}&limit=100");
            let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(token);
            let page: MessagePage = answer(&path, request).await?;
            let Some(last) = page.items.last() else { return Ok(messages) };
            if last.seq <= after {
                bail!("a page after {after} ends at {}", last.seq);
            }
            after = last.seq;
            messages.extend(page.items);
            if !page.has_more {
                return Ok(messages);
            }
        }
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let mut request = self.http.post(format!("{}{path}", self.url)).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        answer(path, request).await
    }
}

async fn answer<T: DeserializeOwned>(path: &str, request: reqwest::RequestBuilder) -> anyhow::Result<T> {
    for _ in 0..ATTEMPTS {
        let attempt = request.try_clone().context("requests here have no streamed body")?;
        let response = attempt.send().await.with_context(|| format!("{path}: no answer"))?;
        match response.status().as_u16() {
            200..=299 => {
                return response.json().await.with_context(|| format!("{path}: not the answer expected"));
            }
            429 | 503 => tokio::time::sleep(PAUSE).await,
            status => bail!("{path}: {status} {}", response.text().await.unwrap_or_default()),
        }
    }
    bail!("{path}: asked to wait {ATTEMPTS} times; is the server running with RATE_LIMITS=off?")
}
