//! Accounts closed for good, for whoever asks for an erasure: nothing that the user has opens anything from then on.

use futures_util::future::try_join_all;
use natter_nats::publisher::Publisher;
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
};
use natter_store::Store;

use crate::control::{self, NotifyError};

/// Closes the account, for whoever asks for an erasure. No log-in and no refresh token is good any more, and as soon as edges
/// have heard of it, which is announced here, no access token and no socket. False: there is no such user.
pub async fn account(
    store: &dyn Store,
    publisher: &Publisher,
    user: UserId,
    now: Timestamp,
) -> Result<bool, NotifyError> {
    if !store.request_erasure(user, now).await? {
        return Ok(false);
    }
    announce_end(store, publisher, user).await?;
    Ok(true)
}

/// Of every session of a closed account: none is opened meanwhile. Their rows stay, so that a crash cannot come between.
pub async fn announce_end(
    store: &dyn Store,
    publisher: &Publisher,
    user: UserId,
) -> Result<Vec<SessionId>, NotifyError> {
    let sessions = store.sessions_of(user, Timestamp(0)).await?;
    let ended = sessions.clone().into_iter();
    try_join_all(
        ended.map(|session| async move { control::publish_session_ended(publisher, session).await }),
    )
    .await?;
    Ok(sessions)
}
