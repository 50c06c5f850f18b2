//! A seeded user: registered, or logged in if the account exists already.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, bail};
use natter_schemas::{
    event::Shape,
    id::{ConversationId, UserId},
    rest::{ConversationPage, Login, Register, SessionView},
};
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use super::api::{ApiClient, ApiFailure, ApiRequest};

/// Of every seeded user.
pub const PASSWORD: &str = "natter-seed";

pub struct SeededUser {
    api: Arc<ApiClient>,
    pub username: String,
    pub id: UserId,
    /// The account existed before this run.
    pub existed: bool,
    token: Mutex<String>,
    groups: OnceCell<HashMap<String, ConversationId>>,
}

impl SeededUser {
    pub async fn register_or_log_in(
        api: &Arc<ApiClient>,
        username: String,
        display_name: String,
    ) -> anyhow::Result<Self> {
        let account = Register {
            email: format!("{username}@seed.example"),
            username: username.clone(),
            password: PASSWORD.to_owned(),
            display_name: Some(display_name),
        };
        let body = serde_json::to_value(account)?;
        let request =
            ApiRequest { method: &Method::POST, path: "/api/auth/register", token: None, body: &body };
        let (session, existed) = match api.send(&request).await? {
            Ok(answer) => (answer.json().await?, false),
            Err(failure) if failure.code == "username_taken" => (log_in(api, &username).await?, true),
            Err(failure) => return Err(failure).with_context(|| format!("{username} cannot register")),
        };
        let SessionView { user, token, .. } = session;
        let (api, token, groups) = (api.clone(), Mutex::new(token), OnceCell::new());
        Ok(Self { api, username, id: user.id, existed, token, groups })
    }

    /// One request as this user; an access token that has expired is replaced.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Response> {
        let token = self.token.lock().await.clone();
        let request = ApiRequest { method: &method, path, token: Some(&token), body };
        let answer = match self.api.send(&request).await? {
            Err(failure) if failure.status == StatusCode::UNAUTHORIZED => {
                let token = self.renew(&token).await?;
                self.api.send(&ApiRequest { token: Some(&token), ..request }).await?
            }
            answer => answer,
        };
        answer.map_err(|failure: ApiFailure| {
            let what = format!("{} {method} {path}", self.username);
            anyhow::Error::new(failure).context(what)
        })
    }

    async fn renew(&self, expired: &str) -> anyhow::Result<String> {
        let mut token = self.token.lock().await;
        if *token == expired {
            *token = log_in(&self.api, &self.username).await?.token;
        }
        Ok(token.clone())
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        Ok(self.send(Method::GET, path, &Value::Null).await?.json().await?)
    }

    /// The group of this name, if the user had it before this run.
    pub async fn group(&self, name: &str) -> anyhow::Result<Option<ConversationId>> {
        if !self.existed {
            return Ok(None);
        }
        Ok(self.groups.get_or_try_init(|| self.groups()).await?.get(name).copied())
    }

    async fn groups(&self) -> anyhow::Result<HashMap<String, ConversationId>> {
        let mut groups = HashMap::new();
        let mut path = "/api/conversations?limit=100".to_owned();
        loop {
            let page: ConversationPage = self.get(&path).await?;
            let named = page.items.into_iter().filter(|conversation| conversation.shape == Shape::Group);
            groups.extend(named.filter_map(|conversation| Some((conversation.name?, conversation.id))));
            let Some(cursor) = page.next_cursor else { return Ok(groups) };
            path = format!("/api/conversations?limit=100&cursor={cursor}");
        }
    }
}

async fn log_in(api: &ApiClient, username: &str) -> anyhow::Result<SessionView> {
    let body = serde_json::to_value(Login { login: username.to_owned(), password: PASSWORD.to_owned() })?;
    let request = ApiRequest { method: &Method::POST, path: "/api/auth/login", token: None, body: &body };
    match api.send(&request).await? {
        Ok(answer) => Ok(answer.json().await?),
        Err(failure) if failure.code == "bad_credentials" => {
            bail!("{username} exists with another password; choose another --tag")
        }
        Err(failure) => Err(failure).with_context(|| format!("{username} cannot log in")),
    }
}
