//! Who is in a group, and whom somebody wants nothing of.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use natter_runtime::rates::Class;
use natter_schemas::{
    id::{ConversationId, UserId},
    rest::{AddParticipants, ChangeRole, ConversationView, Items, UserView},
    rpc::{AddMembers, Blocks, FindUsers, GetConversation, RemoveMember, SetBlock, SetRole},
};

use super::{
    extract::{Caller, Json, segment},
    messages::traceparent,
};
use crate::{api_error::ApiError, app::Edge, outbound::encode};

pub async fn add(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<AddParticipants>,
) -> Result<Reply<ConversationView>, ApiError> {
    let (by, conversation) = place(&edge, &caller, &id).await?;
    let traceparent = traceparent(&headers);
    edge.rpc.call(&AddMembers { by, conversation, users: body.user_ids, traceparent }).await?;
    view(&edge, by, conversation).await
}

pub async fn set_role(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path((id, user)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<ChangeRole>,
) -> Result<Reply<ConversationView>, ApiError> {
    let (by, conversation) = place(&edge, &caller, &id).await?;
    let (user, traceparent) = (segment(&user)?, traceparent(&headers));
    edge.rpc.call(&SetRole { by, conversation, user, role: body.role, traceparent }).await?;
    view(&edge, by, conversation).await
}

pub async fn remove(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path((id, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let (by, conversation) = place(&edge, &caller, &id).await?;
    let (user, traceparent) = (segment(&user)?, traceparent(&headers));
    edge.rpc.call(&RemoveMember { by, conversation, user, traceparent }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn place(edge: &Arc<Edge>, caller: &Caller, id: &str) -> Result<(UserId, ConversationId), ApiError> {
    let user = caller.limit(edge, Class::Write).await?;
    let conversation = segment(id)?;
    edge.members.of_one(user, conversation).await?;
    Ok((user, conversation))
}

async fn view(
    edge: &Arc<Edge>,
    user: UserId,
    conversation: ConversationId,
) -> Result<Reply<ConversationView>, ApiError> {
    Ok(Reply(encode::conversation(edge.rpc.call(&GetConversation { user, conversation }).await?)))
}

pub async fn block(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    set_block(&edge, &caller, &id, true).await
}

pub async fn unblock(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    set_block(&edge, &caller, &id, false).await
}

async fn set_block(edge: &Arc<Edge>, caller: &Caller, id: &str, on: bool) -> Result<StatusCode, ApiError> {
    let user = caller.limit(edge, Class::Write).await?;
    edge.rpc.call(&SetBlock { user, other: segment(id)?, on }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn blocks(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
) -> Result<Reply<Items<UserView>>, ApiError> {
    let user = caller.limit(&edge, Class::Read).await?;
    let users = edge.rpc.call(&Blocks { user }).await?;
    let found = edge.rpc.call(&FindUsers { users }).await?;
    Ok(Reply(Items { items: found.into_iter().map(encode::user).collect() }))
}
