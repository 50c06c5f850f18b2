//! Conversations: create, list, get, rename.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode},
};
use natter_schemas::{
    event::Shape,
    id::{ConversationId, UserId},
    limits,
    rest::{ConversationPage, ConversationView, CreateConversation, RenameConversation},
    rpc::{GetConversation, ListConversations, OpenConversation, Rename},
};

use super::{
    cursors,
    extract::{Caller, Json, Params, REPLAYED, idempotency_key, segment, traceparent},
    respond::location,
};
use crate::{api_error::ApiError, app::App, costs, wire::encode};

pub async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<CreateConversation>,
) -> Result<(StatusCode, HeaderMap, Reply<ConversationView>), ApiError> {
    let creator = caller.user();
    if body.shape == Shape::Group {
        app.admission.take(costs::NEW_GROUP, &creator.to_string()).await?;
    }
    let key = idempotency_key(&headers, &app.config.limits)?;
    let keyed = key.is_some() && body.shape == Shape::Group;
    let mut opened = app
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
    app.keys.for_reader(creator).open_messages(&mut opened.conversation.last_message).await;
    // CONTROL brings the same; the creator must be able to send before it arrives.
    app.membership_updates.apply(creator, opened.membership).await;
    let status = if opened.existed && !keyed { StatusCode::OK } else { StatusCode::CREATED };
    let mut headers = HeaderMap::new();
    if status == StatusCode::CREATED {
        headers.extend(location(&format!("/api/conversations/{}", opened.conversation.id)));
    }
    if opened.existed && keyed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok((status, headers, Reply(encode::conversation(opened.conversation))))
}

pub async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Reply<ConversationPage>, ApiError> {
    let user = caller.user();
    let limit = params.limit(limits::PAGE_DEFAULT, *limits::PAGE.end())?;
    let after = params.cursor(cursors::read_list)?;
    let mut page = app.rpc.call(&ListConversations { user, limit, after }).await?;
    app.keys
        .for_reader(user)
        .open_messages(page.items.iter_mut().filter_map(|item| item.last_message.as_mut()))
        .await;
    Ok(Reply(ConversationPage {
        items: page.items.into_iter().map(encode::conversation).collect(),
        next_cursor: page.next.map(cursors::write_list),
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
    view(&app, user, conversation).await
}

/// The conversation as a member sees it.
pub async fn view(
    app: &App,
    user: UserId,
    conversation: ConversationId,
) -> Result<Reply<ConversationView>, ApiError> {
    let mut found = app.rpc.call(&GetConversation { user, conversation }).await?;
    app.keys.for_reader(user).open_messages(&mut found.last_message).await;
    Ok(Reply(encode::conversation(found)))
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
    view(&app, user, conversation).await
}
