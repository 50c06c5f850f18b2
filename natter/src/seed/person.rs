//! A seeded account: registered, or logged in when it is there already.

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

use super::server::{Call, Refused, Server};

/// Everyone seeded has it.
pub const PASSWORD: &str = "natter-seed";

pub struct Person {
    server: Arc<Server>,
    pub username: String,
    pub id: UserId,
    /// The account was there before.
    pub existed: bool,
    token: Mutex<String>,
    groups: OnceCell<HashMap<String, ConversationId>>,
}

impl Person {
    pub async fn enter(server: &Arc<Server>, username: String, display_name: String) -> anyhow::Result<Self> {
        let account = Register {
            email: format!("{username}@seed.example"),
            username: username.clone(),
            password: PASSWORD.to_owned(),
            display_name: Some(display_name),
        };
        let body = serde_json::to_value(account)?;
        let call = Call { method: &Method::POST, path: "/api/auth/register", token: None, body: &body };
        let (session, existed) = match server.call(&call).await? {
            Ok(answer) => (answer.json().await?, false),
            Err(refused) if refused.code == "username_taken" => (log_in(server, &username).await?, true),
            Err(refused) => return Err(refused).with_context(|| format!("{username} cannot register")),
        };
        let SessionView { user, token, .. } = session;
        let (server, token, groups) = (server.clone(), Mutex::new(token), OnceCell::new());
        Ok(Self { server, username, id: user.id, existed, token, groups })
    }

    /// One call as this person; a token that has expired is replaced.
    pub async fn call(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Response> {
        let token = self.token.lock().await.clone();
        let call = Call { method: &method, path, token: Some(&token), body };
        let answer = match self.server.call(&call).await? {
            Err(refused) if refused.status == StatusCode::UNAUTHORIZED => {
                let token = self.renew(&token).await?;
                self.server.call(&Call { token: Some(&token), ..call }).await?
            }
            answer => answer,
        };
        answer.map_err(|refused: Refused| {
            let what = format!("{} {method} {path}", self.username);
            anyhow::Error::new(refused).context(what)
        })
    }

    async fn renew(&self, expired: &str) -> anyhow::Result<String> {
        let mut token = self.token.lock().await;
        if *token == expired {
            *token = log_in(&self.server, &self.username).await?.token;
        }
        Ok(token.clone())
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        Ok(self.call(Method::GET, path, &Value::Null).await?.json().await?)
    }

    /// The group of this name that was there when the person entered.
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
            let named = page.items.into_iter().filter(|room| room.shape == Shape::Group);
            groups.extend(named.filter_map(|room| Some((room.name?, room.id))));
            let Some(cursor) = page.next_cursor else { return Ok(groups) };
            path = format!("/api/conversations?limit=100&cursor={cursor}");
        }
    }
}

async fn log_in(server: &Server, username: &str) -> anyhow::Result<SessionView> {
    let body = serde_json::to_value(Login { login: username.to_owned(), password: PASSWORD.to_owned() })?;
    let call = Call { method: &Method::POST, path: "/api/auth/login", token: None, body: &body };
    match server.call(&call).await? {
        Ok(answer) => Ok(answer.json().await?),
        Err(refused) if refused.code == "bad_credentials" => {
            bail!("{username} is there with another password; choose another --tag")
        }
        Err(refused) => Err(refused).with_context(|| format!("{username} cannot log in")),
    }
}
