//! Who is in a group, and whom somebody wants nothing of.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use runtime::rates::Class;
use schemas::{
    id::{ConversationId, UserId},
    rest::{AddParticipants, ChangeRole, ConversationView, Items, UserView},
    rpc::{AddMembers, Blocks, FindUsers, GetConversation, RemoveMember, SetBlock, SetRole},
};

use super::{
    extract::{Caller, Json, segment},
    messages::traceparent,
};
use crate::{app::Edge, outbound::encode, refusal::Refusal};

pub async fn add(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<AddParticipants>,
) -> Result<Reply<ConversationView>, Refusal> {
    let (by, conversation) = place(&edge, &caller, &id).await?;
    let traceparent = traceparent(&headers);
    edge.asker.ask(&AddMembers { by, conversation, users: body.user_ids, traceparent }).await?;
    view(&edge, by, conversation).await
}

pub async fn set_role(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path((id, user)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<ChangeRole>,
) -> Result<Reply<ConversationView>, Refusal> {
    let (by, conversation) = place(&edge, &caller, &id).await?;
    let (user, traceparent) = (segment(&user)?, traceparent(&headers));
    edge.asker.ask(&SetRole { by, conversation, user, role: body.role, traceparent }).await?;
    view(&edge, by, conversation).await
}

pub async fn remove(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path((id, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let (by, conversation) = place(&edge, &caller, &id).await?;
    let (user, traceparent) = (segment(&user)?, traceparent(&headers));
    edge.asker.ask(&RemoveMember { by, conversation, user, traceparent }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn place(edge: &Arc<Edge>, caller: &Caller, id: &str) -> Result<(UserId, ConversationId), Refusal> {
    let user = caller.limit(edge, Class::Write).await?;
    let conversation = segment(id)?;
    edge.members.of_one(user, conversation).await?;
    Ok((user, conversation))
}

async fn view(
    edge: &Arc<Edge>,
    user: UserId,
    conversation: ConversationId,
) -> Result<Reply<ConversationView>, Refusal> {
    Ok(Reply(encode::conversation(edge.asker.ask(&GetConversation { user, conversation }).await?)))
}

pub async fn block(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    set_block(&edge, &caller, &id, true).await
}

pub async fn unblock(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    set_block(&edge, &caller, &id, false).await
}

async fn set_block(edge: &Arc<Edge>, caller: &Caller, id: &str, on: bool) -> Result<StatusCode, Refusal> {
    let user = caller.limit(edge, Class::Write).await?;
    edge.asker.ask(&SetBlock { user, other: segment(id)?, on }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn blocks(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
) -> Result<Reply<Items<UserView>>, Refusal> {
    let user = caller.limit(&edge, Class::Read).await?;
    let users = edge.asker.ask(&Blocks { user }).await?;
    let found = edge.asker.ask(&FindUsers { users }).await?;
    Ok(Reply(Items { items: found.into_iter().map(encode::user).collect() }))
}
