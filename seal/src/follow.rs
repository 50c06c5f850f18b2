//! CONTROL, for a process that follows it for its keys alone.

use std::time::Duration;

use natter_nats::{
    async_nats::jetstream::Context,
    control::{self, ControlError, ControlFeed},
    subject::ControlTo,
};
use natter_schemas::rpc::Control;
use tracing::warn;

use crate::data_keys::KnownKeys;

const RETRY: Duration = Duration::from_millis(500);

/// Revokes what CONTROL names, for ever. What came while it was not followed is not known: then all are revoked.
pub async fn follow_control(keys: KnownKeys, js: Context) {
    loop {
        if let Err(error) = follow(&keys, &js).await {
            warn!(%error, "CONTROL is not followed: keys are asked for again");
        }
        keys.revoke_all();
        tokio::time::sleep(RETRY).await;
    }
}

async fn follow(keys: &KnownKeys, js: &Context) -> Result<(), ControlError> {
    let mut feed = ControlFeed::after(js, control::head(js).await?).await?;
    keys.revoke_all();
    while let Some(notice) = feed.next().await {
        match notice?.content {
            Ok((ControlTo::User(user), Control::KeysChanged)) => keys.revoke(user),
            Ok(_) => {}
            // Whatever it says, it may revoke a key.
            Err(_) => keys.revoke_all(),
        }
    }
    Ok(())
}
