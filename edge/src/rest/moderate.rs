//! What is done to a message after it was posted: edit, delete, react.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use natter_schemas::{
    code::Code,
    id::{ConversationId, Seq},
    rest::{EditMessage, MessageView, check},
    rpc::GetMessage,
};

use super::extract::{Caller, Json, segment, traceparent};
use crate::{
    api_error::ApiError,
    app::App,
    inbound::{
        admit::{Command, CommandRequest},
        publish::{DedupKey, EarlierAttempt},
    },
    wire::encode,
};

pub async fn edit(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((id, seq)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<EditMessage>,
) -> Result<Reply<MessageView>, ApiError> {
    let (conversation, target): (ConversationId, Seq) = (segment(&id)?, segment(&seq)?);
    let command = Command::Edit { target, content: body.content };
    publish(&app, &caller, conversation, command, &headers).await?;
    let message = app.rpc.call(&GetMessage { conversation, seq: target }).await?;
    Ok(Reply(encode::message(message.ok_or(Code::NotFound)?)))
}

pub async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((id, seq)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let (conversation, target) = (segment(&id)?, segment(&seq)?);
    publish(&app, &caller, conversation, Command::Delete { target }, &headers).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn react(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    set_reaction(&app, &caller, path, true, &headers).await
}

pub async fn unreact(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(path): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    set_reaction(&app, &caller, path, false, &headers).await
}

async fn set_reaction(
    app: &Arc<App>,
    caller: &Caller,
    (id, seq, emoji): (String, String, String),
    on: bool,
    headers: &HeaderMap,
) -> Result<StatusCode, ApiError> {
    check::emoji(&emoji, &()).map_err(|error| ApiError::invalid("emoji", error.to_string()))?;
    let (conversation, target) = (segment(&id)?, segment(&seq)?);
    publish(app, caller, conversation, Command::React { target, emoji, on }, headers).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn publish(
    app: &Arc<App>,
    caller: &Caller,
    conversation: ConversationId,
    command: Command,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let author = caller.user();
    let traceparent = traceparent(headers);
    let request =
        CommandRequest { author, conversation, device: String::new(), client_id: None, command, traceparent };
    app.sender.send(request, &DedupKey::None, EarlierAttempt::Possible).await.map(|_| ())
}
