//! Natter's accounts, rooms and history.

use anyhow::bail;
use natter_schemas::{
    event::Shape,
    id::UserId,
    limits,
    rest::{AddParticipants, ConversationView, CreateConversation, MessagePage, Register, SessionView},
};
use uuid::Uuid;

use super::{Account, HttpClient, RoomInfo};
use crate::{
    dialect::PASSWORD,
    oracle::{HistoryRow, number_in},
};

pub async fn register(rest: &HttpClient, username: String) -> anyhow::Result<Account> {
    let body = Register {
        email: format!("{username}@bench.invalid"),
        username: username.clone(),
        password: PASSWORD.to_owned(),
        display_name: None,
    };
    let session: SessionView = rest.post("/api/auth/register", None, &body).await?;
    Ok(Account { id: session.user.id.to_string(), username, token: session.token })
}

pub async fn room(rest: &HttpClient, members: &[&Account], direct: bool) -> anyhow::Result<RoomInfo> {
    let [maker, others @ ..] = members else { bail!("a room has members") };
    let ids = others.iter().map(|person| person.id.parse::<UserId>()).collect::<Result<Vec<_>, _>>()?;
    let mut calls = ids.chunks(limits::PARTICIPANTS_PER_CALL);
    let body = CreateConversation {
        shape: if direct { Shape::Direct } else { Shape::Group },
        name: (!direct).then(|| "bench".to_owned()),
        participant_ids: calls.next().unwrap_or_default().to_vec(),
    };
    let made: ConversationView = rest.post("/api/conversations", Some(&maker.token), &body).await?;
    for ids in calls {
        let path = format!("/api/conversations/{}/participants", made.id);
        let body = AddParticipants { user_ids: ids.to_vec() };
        let _: serde_json::Value = rest.post(&path, Some(&maker.token), &body).await?;
    }
    let path = format!("/api/conversations/{}", made.id);
    let now: ConversationView = rest.get(&path, &maker.token).await?;
    Ok(RoomInfo { id: now.id.to_string(), head: now.head_seq })
}

/// Page by page, upwards.
pub async fn history(
    rest: &HttpClient,
    reader: &Account,
    room: &RoomInfo,
) -> anyhow::Result<Vec<HistoryRow>> {
    let (mut rows, mut after) = (Vec::new(), room.head);
    loop {
        let path = format!("/api/messages?conversationId={}&after={after}&limit=100", room.id);
        let page: MessagePage = rest.get(&path, &reader.token).await?;
        let Some(last) = page.items.last() else { return Ok(rows) };
        if last.seq <= after {
            bail!("a page after {after} ends at {}", last.seq);
        }
        after = last.seq;
        rows.extend(page.items.iter().map(|message| HistoryRow {
            seq: Some(message.seq),
            id: Uuid::from_bytes(*message.id.as_bytes()),
            number: message.content.as_deref().and_then(number_in),
        }));
        if !page.has_more {
            return Ok(rows);
        }
    }
}
