//! The seed node's accounts, rooms and history.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Account, HttpClient, RoomInfo};
use crate::{
    dialect::PASSWORD,
    oracle::{HistoryRow, number_in},
};

#[derive(Deserialize)]
struct Session {
    token: String,
    user: Id<String>,
}

#[derive(Deserialize)]
struct Id<T> {
    id: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    messages: Vec<Message>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    id: Uuid,
    content: String,
}

pub async fn register(rest: &HttpClient, username: String) -> anyhow::Result<Account> {
    let email = format!("{username}@bench.invalid");
    let body = json!({ "username": username, "email": email, "password": PASSWORD });
    let session: Session = rest.post("/api/auth/register", None, &body).await?;
    Ok(Account { id: session.user.id, username, token: session.token })
}

pub async fn room(rest: &HttpClient, members: &[&Account], direct: bool) -> anyhow::Result<RoomInfo> {
    let ids: Vec<&str> = members.iter().map(|person| person.id.as_str()).collect();
    let kind = if direct { "direct" } else { "group" };
    let body: Value = json!({ "type": kind, "name": "bench", "participantIds": ids });
    let token = members.first().map(|person| person.token.as_str());
    let made: Id<String> = rest.post("/api/conversations", token, &body).await?;
    Ok(RoomInfo { id: made.id, head: 0 })
}

/// Page by page, downwards.
pub async fn history(
    rest: &HttpClient,
    reader: &Account,
    room: &RoomInfo,
) -> anyhow::Result<Vec<HistoryRow>> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/messages?conversationId={}&limit=100{cursor}", room.id);
        let page: Page = rest.get(&path, &reader.token).await?;
        rows.extend(page.messages.iter().map(|message| HistoryRow {
            seq: None,
            id: message.id,
            number: number_in(&message.content),
        }));
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(rows),
        }
    }
}
