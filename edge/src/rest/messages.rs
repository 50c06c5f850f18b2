//! Messages: read a page or one, post one, move the read mark.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use natter_nats::event_log::Appended;
use natter_runtime::shared_state::{Fingerprint, KeyClaim, RecordedResult, Unavailable};
use natter_schemas::{
    code::Code,
    event::{LogEntry, Message},
    id::{ConversationId, Seq, UserId},
    limits,
    rest::{MarkRead as MarkReadBody, MessagePage, MessageView, PostMessage, ReadView},
    rpc::{GetMessage, GetPage, Page, Window},
};
use natter_spans::within;

use super::{
    compress::OfOneConversation,
    extract::{Caller, Json, Params, REPLAYED, idempotency_key, segment, traceparent},
    respond::location,
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

pub async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<OfOneConversation<MessagePage>, ApiError> {
    let user = caller.user();
    let conversation: ConversationId = params.required("conversationId", "a conversation id")?;
    let window = window(&params)?;
    let limit = params.limit(limits::PAGE_DEFAULT, *limits::PAGE.end())?;
    app.members.access(user, conversation).await?;
    let page = Page { conversation, window, limit };
    let mut page = app.rpc.call(&GetPage { user, page }).await?;
    app.keys.for_reader(user).open_messages(&mut page.messages).await;
    Ok(OfOneConversation(MessagePage {
        items: page.messages.into_iter().map(encode::message).collect(),
        has_more: page.has_more,
        head_seq: page.head,
    }))
}

pub async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((id, seq)): Path<(String, String)>,
) -> Result<Reply<MessageView>, ApiError> {
    let user = caller.user();
    let (conversation, seq): (ConversationId, Seq) = (segment(&id)?, segment(&seq)?);
    app.members.access(user, conversation).await?;
    let mut message = app.rpc.call(&GetMessage { user, conversation, seq }).await?;
    app.keys.for_reader(user).open_messages(&mut message).await;
    Ok(Reply(encode::message(message.ok_or(Code::NotFound)?)))
}

fn window(params: &Params) -> Result<Window, ApiError> {
    let what = "a seq";
    match (params.get::<u64>("before", what)?, params.get::<u64>("after", what)?) {
        (Some(_), Some(_)) => Err(ApiError::invalid("after", "must not be given together with before")),
        (Some(before), None) => Ok(Window::Before(storable("before", before)?)),
        (None, Some(after)) => Ok(Window::After(storable("after", after)?)),
        (None, None) => Ok(Window::Newest),
    }
}

/// Seqs are kept with 63 bits.
fn storable(field: &str, seq: u64) -> Result<u64, ApiError> {
    if i64::try_from(seq).is_ok() { Ok(seq) } else { Err(ApiError::invalid(field, "must be a seq")) }
}

pub async fn read(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<MarkReadBody>,
) -> Result<Reply<ReadView>, ApiError> {
    let user = caller.user();
    let MarkReadBody { conversation_id: conversation, seq, unread } = body;
    let mark = app.read_marks.mark(user, conversation, (seq, unread)).await?;
    Ok(Reply(ReadView { conversation_id: conversation, seq: mark.seq, unread_count: mark.unread }))
}

pub async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<PostMessage>,
) -> Result<Response, ApiError> {
    let user = caller.user();
    match idempotency_key(&headers, &app.config.limits)? {
        None => {
            let dedup = if body.client_id.is_some() { DedupKey::ClientId } else { DedupKey::None };
            let acked =
                app.sender.send(command(user, &headers, &body), &dedup, EarlierAttempt::Possible).await?;
            Ok(created(view(&acked.entry), false))
        }
        // Carried through even if the client disconnects: a key that stays claimed would block the retry.
        Some(key) => {
            let once = post_once(app.clone(), key, command(user, &headers, &body), body);
            let once = within(natter_spans::current(), once);
            app.lifecycle.tracker().spawn(once).await.map_err(|error| {
                tracing::error!(%user, %error, "post with an idempotency key did not finish");
                Code::Internal
            })?
        }
    }
}

/// A post with an `Idempotency-Key`: claimed first, so that one key is one message on any node.
async fn post_once(
    app: Arc<App>,
    key: String,
    request: CommandRequest,
    body: PostMessage,
) -> Result<Response, ApiError> {
    let (user, fingerprint) = (request.author, fingerprint(&body));
    match app.shared.begin(user, &key, fingerprint).await {
        Ok(KeyClaim::InProgress) => return Err(Code::InProgress.into()),
        Ok(KeyClaim::Mismatch) => return Err(Code::IdempotencyMismatch.into()),
        Ok(KeyClaim::Finished(receipt)) => return Ok(created(Some(replayed(user, &body, receipt)), true)),
        // Without the shared state the event id still makes one message of one key.
        Ok(KeyClaim::Claimed) | Err(Unavailable) => {}
    }
    match send_once(&app, &key, request, &body).await {
        Ok(Appended { entry, duplicate }) => {
            let receipt =
                RecordedResult { message: entry.event.id, seq: entry.seq, created_at: entry.event.at };
            if app.shared.finish(user, &key, fingerprint, receipt).await.is_err() {
                tracing::warn!(
                    %user, seq = entry.seq,
                    "receipt of an idempotency key not kept; a retry is recognized by its event id instead"
                );
            }
            Ok(created(view(&entry), duplicate))
        }
        Err(error) => {
            // Before the error is sent: its reader may use the key again at once.
            if app.shared.abandon(user, &key).await.is_err() {
                tracing::warn!(%user, "idempotency key not released; retries are refused until it expires");
            }
            Err(error)
        }
    }
}

async fn send_once(
    app: &Arc<App>,
    key: &str,
    request: CommandRequest,
    body: &PostMessage,
) -> Result<Appended, ApiError> {
    let remembered = app.shared.remembers_every_key().await;
    let earlier = if remembered { EarlierAttempt::Possible } else { EarlierAttempt::Likely };
    let dedup =
        if body.client_id.is_some() { DedupKey::ClientId } else { DedupKey::IdempotencyKey(key.to_owned()) };
    app.sender.send(request, &dedup, earlier).await
}

fn fingerprint(body: &PostMessage) -> Fingerprint {
    let json = serde_json::to_vec(body).expect("a body has string keys only");
    *blake3::hash(&json).as_bytes()
}

fn command(author: UserId, headers: &HeaderMap, body: &PostMessage) -> CommandRequest {
    CommandRequest {
        author,
        conversation: body.conversation_id,
        device: body.device_id.clone().unwrap_or_default(),
        client_id: body.client_id.clone(),
        command: Command::Post { content: body.content.clone(), reply_to: body.reply_to },
        traceparent: traceparent(headers),
    }
}

fn view(entry: &LogEntry) -> Option<MessageView> {
    Message::posted(entry.seq, &entry.event).map(encode::message)
}

/// The first response again: the same request with what the first attempt produced.
fn replayed(user: UserId, body: &PostMessage, receipt: RecordedResult) -> MessageView {
    MessageView {
        id: receipt.message,
        conversation_id: body.conversation_id,
        seq: receipt.seq,
        sender_id: user,
        client_id: body.client_id.clone(),
        content: Some(body.content.clone()),
        reply_to: body.reply_to,
        created_at: receipt.created_at,
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
        unreadable: false,
    }
}

fn created(message: Option<MessageView>, replayed: bool) -> Response {
    let Some(message) = message else { return ApiError::from(Code::Internal).into_response() };
    let place = format!("/api/conversations/{}/messages/{}", message.conversation_id, message.seq);
    let mut response = (StatusCode::CREATED, location(&place), Reply(message)).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, axum::http::HeaderValue::from_static("true"));
    }
    response
}
