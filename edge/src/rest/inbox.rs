//! What was not read yet, in one call.

use std::sync::Arc;

use axum::{Json as Reply, extract::State};
use natter_schemas::{
    rest::{InboxItemView, InboxView},
    rpc::ListInbox,
};

use super::extract::Caller;
use crate::{api_error::ApiError, app::App, wire::encode};

pub async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Reply<InboxView>, ApiError> {
    let user = caller.user();
    let found = app.rpc.call(&ListInbox { user }).await?;
    let items = found.items.into_iter().map(|item| InboxItemView {
        conversation_id: item.conversation,
        unread_count: item.unread,
        head_seq: item.head,
        read_seq: item.read,
        last_message: item.last_message.map(encode::message),
    });
    Ok(Reply(InboxView { total_unread: found.total, items: items.collect() }))
}
