//! Who is online, to those who share a conversation with them.

use std::{collections::HashSet, sync::Arc};

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::StatusCode,
};
use natter_runtime::shared_state::Heartbeat;
use natter_schemas::{
    code::Code,
    frame::Status,
    id::UserId,
    rest::{Items, PresenceBatch, PresenceView},
    rpc::FindSharingUsers,
};

use super::extract::{Caller, Json, segment};
use crate::{api_error::ApiError, app::App};

/// Answered once it is written: a status read next is `online`.
pub async fn heartbeat(State(app): State<Arc<App>>, caller: Caller) -> Result<StatusCode, ApiError> {
    let user = caller.user();
    let heartbeat = Heartbeat::without_socket(user, caller.session());
    app.heartbeats.write(heartbeat).await.map_err(|_| ApiError::from(Code::Unavailable))?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn status(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Reply<PresenceView>, ApiError> {
    let user = caller.user();
    let mut views = look_up(&app, user, vec![segment(&id)?]).await?;
    Ok(Reply(views.pop().ok_or(Code::NotFound)?))
}

pub async fn batch(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<PresenceBatch>,
) -> Result<Reply<Items<PresenceView>>, ApiError> {
    let user = caller.user();
    Ok(Reply(Items { items: look_up(&app, user, body.user_ids).await? }))
}

/// In the order asked. Strangers read offline and never seen. While the shared state is away: `unavailable`.
async fn look_up(app: &Arc<App>, user: UserId, asked: Vec<UserId>) -> Result<Vec<PresenceView>, ApiError> {
    let request = FindSharingUsers { user, others: asked.clone() };
    let mut known: HashSet<UserId> = app.rpc.call(&request).await?.into_iter().collect();
    known.insert(user);
    let presences = app.shared.presence(&asked).await.map_err(|_| ApiError::from(Code::Unavailable))?;
    // A socket is open before its first heartbeat is written.
    let here = |asked: UserId| asked == user && !app.sockets.of_user(user).is_empty();
    let view = |presence: natter_runtime::shared_state::Presence| {
        let visible = known.contains(&presence.user);
        PresenceView {
            user_id: presence.user,
            status: if visible && presence.online || here(presence.user) {
                Status::Online
            } else {
                Status::Offline
            },
            last_seen_at: presence.last_seen.filter(|_| visible),
        }
    };
    Ok(presences.into_iter().map(view).collect())
}
