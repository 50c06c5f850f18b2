//! Profiles: one's own and others'.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::StatusCode,
};
use runtime::rates::Class;
use schemas::{
    id::UserId,
    limits,
    rest::{ChangePassword, Items, UpdateMe, UserView},
    rpc::{FindUser, NewPassword, SearchUsers, UpdateUser},
};

use super::extract::{Caller, Json, Params, segment};
use crate::{app::Edge, outbound::encode, refusal::Refusal};

pub async fn me(State(edge): State<Arc<Edge>>, caller: Caller) -> Result<Reply<UserView>, Refusal> {
    let user = caller.limit(&edge, Class::Read).await?;
    Ok(Reply(encode::own_user(edge.asker.ask(&FindUser { user }).await?)))
}

pub async fn update_me(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Json(body): Json<UpdateMe>,
) -> Result<Reply<UserView>, Refusal> {
    let user = caller.limit(&edge, Class::Write).await?;
    let updated = edge.asker.ask(&UpdateUser { user, display_name: body.display_name }).await?;
    Ok(Reply(encode::own_user(updated)))
}

pub async fn change_password(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode, Refusal> {
    let user = caller.limit(&edge, Class::Login).await?;
    let ChangePassword { current, next } = body;
    edge.asker.ask(&NewPassword { user, session: caller.session(), current, next }).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn search(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    params: Params,
) -> Result<Reply<Items<UserView>>, Refusal> {
    caller.limit(&edge, Class::Search).await?;
    let query: String = params.need("query", "text")?;
    if query.trim().is_empty() || query.chars().count() > *limits::NAME.end() {
        return Err(Refusal::invalid("query", format!("must be 1 to {} characters", limits::NAME.end())));
    }
    let limit = params.limit(20, limits::USER_SEARCH_PAGE)?;
    let found = edge.asker.ask(&SearchUsers { query, limit }).await?;
    Ok(Reply(Items { items: found.into_iter().map(encode::user).collect() }))
}

pub async fn get(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Reply<UserView>, Refusal> {
    caller.limit(&edge, Class::Read).await?;
    let user: UserId = segment(&id)?;
    Ok(Reply(encode::user(edge.asker.ask(&FindUser { user }).await?)))
}
