//! Conversations: create, list, get, rename.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use natter_runtime::rates::Class;
use natter_schemas::{
    event::{Shape, Timestamp},
    id::ConversationId,
    limits,
    rest::{ConversationPage, ConversationView, CreateConversation, RenameConversation},
    rpc::{GetConversation, ListConversations, ListCursor, OpenConversation, Rename},
};

use super::extract::{Caller, Json, Params, REPLAYED, idempotency_key, segment, traceparent};
use crate::{api_error::ApiError, app::App, wire::encode};

pub async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<CreateConversation>,
) -> Result<(StatusCode, HeaderMap, Reply<ConversationView>), ApiError> {
    let creator = caller.user();
    if body.shape == Shape::Group {
        app.admission.take(Class::Groups, &creator.to_string()).await?;
    }
    let key = idempotency_key(&headers, &app.config.limits)?;
    let keyed = key.is_some() && body.shape == Shape::Group;
    let opened = app
        .rpc
        .call(&OpenConversation {
            creator,
            shape: body.shape,
            name: body.name,
            participants: body.participant_ids,
            key,
            traceparent: traceparent(&headers),
        })
        .await?;
    // CONTROL brings the same; the creator must be able to send before it arrives.
    app.membership_updates.apply(creator, opened.membership).await;
    let status = if opened.existed && !keyed { StatusCode::OK } else { StatusCode::CREATED };
    let mut replayed = HeaderMap::new();
    if opened.existed && keyed {
        replayed.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok((status, replayed, Reply(encode::conversation(opened.conversation))))
}

pub async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Reply<ConversationPage>, ApiError> {
    let user = caller.user();
    let limit = params.limit(limits::PAGE_DEFAULT, *limits::PAGE.end())?;
    let after = match params.get::<String>("cursor", "text")? {
        Some(text) => Some(
            read_cursor(&text)
                .ok_or_else(|| ApiError::invalid("cursor", "must be the nextCursor of an earlier page"))?,
        ),
        None => None,
    };
    let page = app.rpc.call(&ListConversations { user, limit, after }).await?;
    Ok(Reply(ConversationPage {
        items: page.items.into_iter().map(encode::conversation).collect(),
        next_cursor: page.next.map(write_cursor),
    }))
}

pub async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Reply<ConversationView>, ApiError> {
    let user = caller.user();
    let conversation: ConversationId = segment(&id)?;
    app.members.access(user, conversation).await?;
    Ok(Reply(encode::conversation(app.rpc.call(&GetConversation { user, conversation }).await?)))
}

pub async fn rename(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<RenameConversation>,
) -> Result<Reply<ConversationView>, ApiError> {
    let user = caller.user();
    let conversation: ConversationId = segment(&id)?;
    app.members.access(user, conversation).await?;
    let traceparent = traceparent(&headers);
    app.rpc.call(&Rename { user, conversation, name: body.name, traceparent }).await?;
    Ok(Reply(encode::conversation(app.rpc.call(&GetConversation { user, conversation }).await?)))
}

/// Opaque to clients: the last item's time and id.
fn write_cursor(cursor: ListCursor) -> String {
    let mut bytes = cursor.last_activity_at.0.to_be_bytes().to_vec();
    bytes.extend(cursor.conversation.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_cursor(text: &str) -> Option<ListCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (time, id) = bytes.split_first_chunk::<8>()?;
    Some(ListCursor {
        last_activity_at: Timestamp(i64::from_be_bytes(*time)),
        conversation: ConversationId::from_bytes(id.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_garbage_is_not() {
        let cursor = ListCursor { last_activity_at: Timestamp(-5), conversation: ConversationId::fresh() };
        assert_eq!(read_cursor(&write_cursor(cursor)), Some(cursor));
        for bad in ["", "x", "////", &"A".repeat(100)] {
            assert_eq!(read_cursor(bad), None, "{bad}");
        }
    }
}
