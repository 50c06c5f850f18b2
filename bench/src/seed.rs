//! People and rooms before a run, history after it.

mod natter; // over Natter's HTTP interface
mod peer; // over the seed node's

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use natter_schemas::id::Seq;
use serde::{Serialize, de::DeserializeOwned};
use std::{net::SocketAddr, time::Duration};
use uuid::Uuid;

use crate::oracle::HistoryRow;

/// A server that hashes passwords as fast as it can still asks some to wait.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(200);
/// Registrations under way: a server hashes one password a core at a time.
const REGISTERING: usize = 8;
const OPENING: usize = 32;

/// Who is in which room. Socket i belongs to account i modulo the number of accounts.
#[derive(Debug, Clone)]
pub struct Shape {
    pub people: u32,
    pub sockets: u32,
    /// More accounts, numbered after the others: they connect and disconnect on sockets of their own and never write.
    pub visitors: u32,
    /// Members by their number; the first of them makes the room.
    pub rooms: Vec<Vec<u32>>,
    pub direct: bool,
}

#[derive(Debug, Clone)]
pub struct Account {
    pub id: String,
    pub username: String,
    pub token: String,
}

#[derive(Debug, Clone)]
pub struct RoomInfo {
    pub id: String,
    /// Its newest seq before the run; 0 where there are none.
    pub head: Seq,
}

#[derive(Debug, Clone)]
pub struct Dataset {
    pub shape: Shape,
    pub people: Vec<Account>,
    pub rooms: Vec<RoomInfo>,
}

/// How a target's accounts and rooms are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeder {
    Natter,
    SeedNode,
    /// There are no accounts, and a room exists once it is named.
    Bare,
}

#[derive(Clone)]
pub struct HttpClient {
    http: reqwest::Client,
    url: String,
}

impl Seeder {
    /// `progress` is called once for each account and room.
    pub async fn make(self, at: SocketAddr, shape: Shape, on_created: impl Fn()) -> anyhow::Result<Dataset> {
        let (rest, run) = (HttpClient::new(at)?, Uuid::now_v7().simple().to_string());
        let tag = run.get(6..20).context("a UUID has 32 digits")?;
        let names = (0..shape.people + shape.visitors).map(|number| format!("b{tag}-{number}"));
        let people: Vec<Account> = stream::iter(names)
            .map(|username| self.register(&rest, username))
            .buffered(REGISTERING)
            .inspect(|_| on_created())
            .try_collect()
            .await?;
        let mut rooms: Vec<RoomInfo> = stream::iter(&shape.rooms)
            .map(|members| {
                let members: Vec<&Account> = members.iter().map(|who| &people[*who as usize]).collect();
                self.room(&rest, members, shape.direct)
            })
            .buffered(OPENING)
            .inspect(|_| on_created())
            .try_collect()
            .await?;
        let mut dataset = Dataset { shape, people, rooms: Vec::new() };
        dataset.rooms.append(&mut rooms);
        if self == Self::Bare {
            dataset.tell_tokens();
        }
        Ok(dataset)
    }

    async fn register(self, rest: &HttpClient, username: String) -> anyhow::Result<Account> {
        match self {
            Self::Natter => natter::register(rest, username).await,
            Self::SeedNode => peer::register(rest, username).await,
            Self::Bare => Ok(Account { id: username.clone(), username, token: String::new() }),
        }
    }

    async fn room(self, rest: &HttpClient, members: Vec<&Account>, direct: bool) -> anyhow::Result<RoomInfo> {
        match self {
            Self::Natter => natter::room(rest, &members, direct).await,
            Self::SeedNode => peer::room(rest, &members, direct).await,
            Self::Bare => Ok(RoomInfo { id: Uuid::now_v7().to_string(), head: 0 }),
        }
    }

    /// Every message of a room since it was made; `None` where nothing is stored.
    pub async fn history(
        self,
        rest: &HttpClient,
        reader: &Account,
        room: &RoomInfo,
    ) -> anyhow::Result<Option<Vec<HistoryRow>>> {
        match self {
            Self::Natter => natter::history(rest, reader, room).await.map(Some),
            Self::SeedNode => peer::history(rest, reader, room).await.map(Some),
            Self::Bare => Ok(None),
        }
    }
}

impl Dataset {
    /// The rooms of each person, by number.
    pub fn rooms_of(&self) -> Vec<Vec<u32>> {
        let mut rooms = vec![Vec::new(); self.people.len()];
        for (room, members) in (0..).zip(&self.shape.rooms) {
            for who in members {
                rooms[*who as usize].push(room);
            }
        }
        rooms
    }

    /// A relay has no accounts: the token lists the rooms of a socket.
    fn tell_tokens(&mut self) {
        for (person, rooms) in self.rooms_of().into_iter().enumerate() {
            let ids: Vec<&str> = rooms.iter().map(|room| self.rooms[*room as usize].id.as_str()).collect();
            self.people[person].token = ids.join(",");
        }
    }
}

impl HttpClient {
    pub fn new(at: SocketAddr) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { http, url: format!("http://{at}") })
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        answer(path, token, request).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, token: &str) -> anyhow::Result<T> {
        answer(path, Some(token), self.http.get(format!("{}{path}", self.url))).await
    }
}

async fn answer<T: DeserializeOwned>(
    path: &str,
    token: Option<&str>,
    mut request: reqwest::RequestBuilder,
) -> anyhow::Result<T> {
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    for _ in 0..ATTEMPTS {
        let attempt = request.try_clone().context("requests here have no streamed body")?;
        let response = attempt.send().await.with_context(|| format!("{path}: no answer"))?;
        match response.status().as_u16() {
            200..=299 => {
                return response.json().await.with_context(|| format!("{path}: not the answer expected"));
            }
            429 | 503 => tokio::time::sleep(PAUSE).await,
            status => anyhow::bail!("{path}: {status} {}", response.text().await.unwrap_or_default()),
        }
    }
    anyhow::bail!("{path}: asked to wait {ATTEMPTS} times; are the server's rate limits off?")
}
