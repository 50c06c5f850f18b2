//! Profiles: one's own and others'.

use std::sync::Arc;

use axum::{
    Json as Reply,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use natter_schemas::{
    id::UserId,
    limits,
    rest::{ChangePassword, EraseMe, Items, UpdateMe, UserView},
    rpc::{EraseUser, EraseUserByLogIn, FindUser, GetOwnUser, NewPassword, SearchUsers, UpdateUser},
};

use super::{
    accounts,
    extract::{Caller, Json, Params, segment},
};
use crate::{api_error::ApiError, app::App, client_address::ClientAddress, wire::encode};

pub async fn me(State(app): State<Arc<App>>, caller: Caller) -> Result<Reply<UserView>, ApiError> {
    let user = caller.user();
    let found = match app.rpc.call_if_served(&GetOwnUser { user }).await? {
        Some(found) => found,
        // All workers are of the version before.
        None => app.rpc.call(&FindUser { user }).await?,
    };
    Ok(Reply(encode::own_user(found)))
}

pub async fn update_me(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<UpdateMe>,
) -> Result<Reply<UserView>, ApiError> {
    let user = caller.user();
    let updated = app.rpc.call(&UpdateUser { user, display_name: body.display_name }).await?;
    Ok(Reply(encode::own_user(updated)))
}

pub async fn change_password(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    let user = caller.user();
    let ChangePassword { current, next } = body;
    let call = NewPassword { user, session: caller.session(), current, next };
    app.rpc.caused_by(client.ip).call(&call).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The account is closed when this answers, and its sessions with it.
pub async fn erase_me(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Json(body): Json<EraseMe>,
) -> Result<Response, ApiError> {
    let (user, rpc) = (caller.user(), app.rpc.caused_by(client.ip));
    match body.password {
        Some(password) => rpc.call(&EraseUser { user, password }).await?,
        None => rpc.call(&EraseUserByLogIn { user, session: caller.session() }).await?,
    }
    let cookie = accounts::no_cookie(client)?;
    Ok((StatusCode::ACCEPTED, cookie).into_response())
}

pub async fn search(State(app): State<Arc<App>>, params: Params) -> Result<Reply<Items<UserView>>, ApiError> {
    let query: String = params.required("query", "text")?;
    if query.trim().is_empty() || query.chars().count() > *limits::NAME.end() {
        return Err(ApiError::invalid("query", format!("must be 1 to {} characters", limits::NAME.end())));
    }
    let limit = params.limit(20, limits::USER_SEARCH_PAGE)?;
    let found = app.rpc.call(&SearchUsers { query, limit }).await?;
    Ok(Reply(Items { items: found.into_iter().map(encode::user).collect() }))
}

pub async fn get(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Reply<UserView>, ApiError> {
    let user: UserId = segment(&id)?;
    Ok(Reply(encode::user(app.rpc.call(&FindUser { user }).await?)))
}
