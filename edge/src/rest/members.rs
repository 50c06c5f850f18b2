//! Who is in a group, and whom a user has blocked.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use natter_schemas::{
    id::{ConversationId, UserId},
    limits,
    rest::{AddParticipants, ChangeRole, ConversationView, ListPage, ParticipantView, UserView},
    rpc::{AddMembers, Blocks, FindUsers, ListParticipants, RemoveMember, SetBlock, SetRole},
};

use super::{
    conversations::view,
    cursors,
    extract::{Caller, Json, Params, segment, traceparent},
};
use crate::{api_error::ApiError, app::App, client_address::ClientAddress, wire::encode};

pub async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<AddParticipants>,
) -> Result<Reply<ConversationView>, ApiError> {
    let by = caller.user();
    let conversation = segment(&id)?;
    // Who left a group comes back by adding themselves: the service knows of former members.
    if body.user_ids != [by] {
        app.members.access(by, conversation).await?;
    }
    let traceparent = traceparent(&headers);
    app.rpc.call(&AddMembers { by, conversation, users: body.user_ids, traceparent }).await?;
    view(&app, by, conversation).await
}

pub async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Reply<ListPage<ParticipantView>>, ApiError> {
    let user = caller.user();
    let conversation: ConversationId = segment(&id)?;
    let limit = params.limit(limits::PAGE_DEFAULT, *limits::PAGE.end())?;
    let after = params.cursor(cursors::read_person)?;
    app.members.access(user, conversation).await?;
    let page = app.rpc.call(&ListParticipants { user, conversation, after, limit }).await?;
    let items = page.items.into_iter().map(encode::participant).collect();
    Ok(Reply(ListPage { items, next_cursor: page.next.map(cursors::write_person) }))
}

pub async fn set_role(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path((id, user)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<ChangeRole>,
) -> Result<Reply<ConversationView>, ApiError> {
    let (by, conversation) = authorize(&app, &caller, &id).await?;
    let (user, traceparent) = (segment(&user)?, traceparent(&headers));
    app.rpc
        .caused_by(client.ip)
        .call(&SetRole { by, conversation, user, role: body.role, traceparent })
        .await?;
    view(&app, by, conversation).await
}

pub async fn remove(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path((id, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let (by, conversation) = authorize(&app, &caller, &id).await?;
    let (user, traceparent) = (segment(&user)?, traceparent(&headers));
    app.rpc.caused_by(client.ip).call(&RemoveMember { by, conversation, user, traceparent }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn authorize(app: &Arc<App>, caller: &Caller, id: &str) -> Result<(UserId, ConversationId), ApiError> {
    let user = caller.user();
    let conversation = segment(id)?;
    app.members.access(user, conversation).await?;
    Ok((user, conversation))
}

pub async fn block(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    set_block(&app, &caller, &id, true).await
}

pub async fn unblock(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    set_block(&app, &caller, &id, false).await
}

async fn set_block(app: &Arc<App>, caller: &Caller, id: &str, on: bool) -> Result<StatusCode, ApiError> {
    let user = caller.user();
    app.rpc.call(&SetBlock { user, other: segment(id)?, on }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn blocks(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Reply<ListPage<UserView>>, ApiError> {
    let user = caller.user();
    let limit = params.limit(limits::PAGE_DEFAULT, *limits::PAGE.end())?;
    let after = params.cursor(cursors::read_person)?;
    let page = app.rpc.call(&Blocks { user, after, limit }).await?;
    let found = app.rpc.call(&FindUsers { users: page.items }).await?;
    let items = found.into_iter().map(encode::user).collect();
    Ok(Reply(ListPage { items, next_cursor: page.next.map(cursors::write_person) }))
}
