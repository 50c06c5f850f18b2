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
    limits,
    rest::{EditMessage, MessageView, ReactorsPage},
    rpc::{GetMessage, ListReactors, Reactors},
};

use super::{
    cursors,
    extract::{Caller, Json, Params, segment, traceparent},
};
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
    let user = caller.user();
    let mut message = app.rpc.call(&GetMessage { user, conversation, seq: target }).await?;
    app.keys.for_reader(user).open_messages(&mut message).await;
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
    let (conversation, target) = (segment(&id)?, segment(&seq)?);
    let command = Command::react(target, emoji, on)?;
    let request = request(caller, conversation, command, headers);
    app.sender.react(request).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn reactors(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((id, seq, emoji)): Path<(String, String, String)>,
    params: Params,
) -> Result<Reply<ReactorsPage>, ApiError> {
    let user = caller.user();
    let (conversation, seq): (ConversationId, Seq) = (segment(&id)?, segment(&seq)?);
    if emoji.len() > limits::EMOJI {
        return Err(ApiError::invalid("emoji", "must be one emoji"));
    }
    let limit = params.limit(limits::PAGE_DEFAULT, *limits::PAGE.end())?;
    let after = params.cursor(cursors::read_person)?;
    app.members.access(user, conversation).await?;
    let call = ListReactors { user, conversation, seq, emoji, after, limit };
    let Reactors { reaction, next } = app.rpc.call(&call).await?;
    Ok(Reply(ReactorsPage {
        emoji: reaction.emoji,
        count: reaction.count,
        me: reaction.me,
        user_ids: reaction.users,
        next_cursor: next.map(cursors::write_person),
    }))
}

async fn publish(
    app: &Arc<App>,
    caller: &Caller,
    conversation: ConversationId,
    command: Command,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let request = request(caller, conversation, command, headers);
    app.sender.send(request, &DedupKey::None, EarlierAttempt::Possible).await.map(|_| ())
}

fn request(
    caller: &Caller,
    conversation: ConversationId,
    command: Command,
    headers: &HeaderMap,
) -> CommandRequest {
    let (author, traceparent) = (caller.user(), traceparent(headers));
    CommandRequest { author, conversation, device: String::new(), client_id: None, command, traceparent }
}
