//! What is done to a message afterwards: edit, delete, react.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use natter_runtime::rates::Class;
use natter_schemas::{
    code::Code,
    id::{ConversationId, Seq},
    rest::{EditMessage, MessageView, check},
    rpc::GetMessage,
};

use super::{
    extract::{Caller, Json, segment},
    messages::traceparent,
};
use crate::{
    api_error::ApiError,
    app::Edge,
    inbound::{
        admit::{Draft, Wish},
        publish::{self, Identity},
    },
    outbound::encode,
};

pub async fn edit(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path((id, seq)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<EditMessage>,
) -> Result<Reply<MessageView>, ApiError> {
    let (conversation, target): (ConversationId, Seq) = (segment(&id)?, segment(&seq)?);
    let wish = Wish::Edit { target, content: body.content };
    publish(&edge, &caller, conversation, wish, &headers).await?;
    let message = edge.rpc.call(&GetMessage { conversation, seq: target }).await?;
    Ok(Reply(encode::message(message.ok_or(Code::NotFound)?)))
}

pub async fn delete(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path((id, seq)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let (conversation, target) = (segment(&id)?, segment(&seq)?);
    publish(&edge, &caller, conversation, Wish::Delete { target }, &headers).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn react(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    set_reaction(&edge, &caller, path, true, &headers).await
}

pub async fn unreact(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    set_reaction(&edge, &caller, path, false, &headers).await
}

async fn set_reaction(
    edge: &Arc<Edge>,
    caller: &Caller,
    (id, seq, emoji): (String, String, String),
    on: bool,
    headers: &HeaderMap,
) -> Result<StatusCode, ApiError> {
    check::emoji(&emoji, &()).map_err(|error| ApiError::invalid("emoji", error.to_string()))?;
    let (conversation, target) = (segment(&id)?, segment(&seq)?);
    publish(edge, caller, conversation, Wish::React { target, emoji, on }, headers).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn publish(
    edge: &Arc<Edge>,
    caller: &Caller,
    conversation: ConversationId,
    wish: Wish,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let author = caller.limit(edge, Class::Send).await?;
    let traceparent = traceparent(headers);
    let draft = Draft { author, conversation, device: String::new(), client_id: None, wish, traceparent };
    publish::send(edge, draft, &Identity::Fresh, false).await.map(|_| ())
}
