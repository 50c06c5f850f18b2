//! Messages: read a page, post one, move the read mark.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use natter_runtime::{
    rates::Class,
    shared_state::{Attempt, Down, Fingerprint, Receipt},
};
use natter_schemas::{
    code::Code,
    event::{Body, Kind, LogEntry, Message},
    id::{ConversationId, UserId},
    limits::{self, Limits},
    rest::{MarkRead as MarkReadBody, MessagePage, MessageView, PostMessage, ReadView, check},
    rpc::{MarkRead, Page, Window},
};

use super::extract::{Caller, Json, Params};
use crate::{
    api_error::ApiError,
    app::Edge,
    inbound::{
        admit::{Draft, Wish},
        publish::{self, Acked, Identity},
    },
    outbound::encode,
};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub async fn list(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    params: Params,
) -> Result<Reply<MessagePage>, ApiError> {
    let user = caller.limit(&edge, Class::Read).await?;
    let conversation: ConversationId = params.need("conversationId", "a conversation id")?;
    let window = window(&params)?;
    let limit = params.limit(limits::PAGE_DEFAULT, *limits::PAGE.end())?;
    edge.members.of_one(user, conversation).await?;
    let page = edge.rpc.call(&Page { conversation, window, limit }).await?;
    Ok(Reply(MessagePage {
        items: page.messages.into_iter().map(encode::message).collect(),
        has_more: page.has_more,
        head_seq: page.head,
    }))
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
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Json(body): Json<MarkReadBody>,
) -> Result<Reply<ReadView>, ApiError> {
    let user = caller.limit(&edge, Class::Write).await?;
    let (conversation, seq) = (body.conversation_id, body.seq);
    let mark = super::mark_read(&edge, MarkRead { user, conversation, seq }).await?;
    Ok(Reply(ReadView { conversation_id: conversation, seq: mark.seq, unread_count: mark.unread }))
}

pub async fn post(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<PostMessage>,
) -> Result<Response, ApiError> {
    let user = caller.limit(&edge, Class::Send).await?;
    match key(&headers, &edge.config.limits)? {
        None => {
            let identity = if body.client_id.is_some() { Identity::ClientId } else { Identity::Fresh };
            let acked = publish::send(&edge, draft(user, &headers, &body), &identity, false).await?;
            Ok(created(view(&acked.logged), false))
        }
        // Carried through even when the client goes: a key claimed for nobody would block its retry.
        Some(key) => {
            let once = post_once(edge.clone(), key, draft(user, &headers, &body), body);
            edge.lifecycle.tracker().spawn(once).await.map_err(|_| Code::Internal)?
        }
    }
}

/// A post with an `Idempotency-Key`: claimed first, so that one key is one message on any node.
async fn post_once(
    edge: Arc<Edge>,
    key: String,
    draft: Draft,
    body: PostMessage,
) -> Result<Response, ApiError> {
    let (user, fingerprint) = (draft.author, fingerprint(&body));
    match edge.shared.begin(user, &key, fingerprint).await {
        Ok(Attempt::InProgress) => return Err(Code::InProgress.into()),
        Ok(Attempt::Mismatch) => return Err(Code::IdempotencyMismatch.into()),
        Ok(Attempt::Finished(receipt)) => return Ok(created(Some(replayed(user, &body, receipt)), true)),
        // Without the shared state the event id still makes one message of one key.
        Ok(Attempt::First) | Err(Down) => {}
    }
    match send_once(&edge, &key, draft, &body).await {
        Ok(Acked { logged, duplicate }) => {
            let receipt = Receipt { message: logged.event.id, seq: logged.seq, created_at: logged.event.at };
            if edge.shared.finish(user, &key, fingerprint, receipt).await.is_err() {
                tracing::warn!("an idempotency key could not be kept: its event id still is");
            }
            Ok(created(view(&logged), duplicate))
        }
        Err(refusal) => {
            // Before it is answered: its reader may use the key again at once.
            if edge.shared.abandon(user, &key).await.is_err() {
                tracing::warn!("an idempotency key could not be freed; it frees itself");
            }
            Err(refusal)
        }
    }
}

async fn send_once(edge: &Arc<Edge>, key: &str, draft: Draft, body: &PostMessage) -> Result<Acked, ApiError> {
    let may_exist = !edge.shared.remembers_every_key().await;
    let identity = if body.client_id.is_some() { Identity::ClientId } else { Identity::Key(key.to_owned()) };
    let acked = publish::send(edge, draft, &identity, may_exist).await?;
    if acked.duplicate && !same_content(&acked.logged, body) {
        return Err(Code::IdempotencyMismatch.into());
    }
    Ok(acked)
}

fn key(headers: &HeaderMap, limits: &Limits) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    check::client_id(text, limits)
        .map_err(|error| ApiError::invalid("Idempotency-Key", error.to_string()))?;
    Ok(Some(text.to_owned()))
}

fn fingerprint(body: &PostMessage) -> Fingerprint {
    let json = serde_json::to_vec(body).unwrap_or_default();
    *blake3::hash(&json).as_bytes()
}

fn draft(author: UserId, headers: &HeaderMap, body: &PostMessage) -> Draft {
    Draft {
        author,
        conversation: body.conversation_id,
        device: String::new(),
        client_id: body.client_id.clone(),
        wish: Wish::Post { content: body.content.clone(), reply_to: body.reply_to },
        traceparent: traceparent(headers),
    }
}

/// W3C Trace Context §3.2: version, trace id, parent id, flags.
pub fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let hex = text.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (hex && lengths == [2, 32, 16, 2]).then(|| text.to_owned())
}

fn same_content(logged: &LogEntry, body: &PostMessage) -> bool {
    match &logged.event.kind {
        Kind::Posted { body: Body::Plain(text), reply_to } => {
            *text == body.content && *reply_to == body.reply_to
        }
        _ => false,
    }
}

fn view(logged: &LogEntry) -> Option<MessageView> {
    Message::posted(logged.seq, &logged.event).map(encode::message)
}

/// The first answer again: the same request with what the first attempt produced.
fn replayed(user: UserId, body: &PostMessage, receipt: Receipt) -> MessageView {
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
    }
}

fn created(message: Option<MessageView>, replayed: bool) -> Response {
    let Some(message) = message else { return ApiError::from(Code::Internal).into_response() };
    let mut response = (StatusCode::CREATED, Reply(message)).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, axum::http::HeaderValue::from_static("true"));
    }
    response
}
