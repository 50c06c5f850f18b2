//! What was not read yet, in one call.

use std::sync::Arc;

use axum::{Json as Reply, extract::State};
use natter_schemas::{
    rest::{InboxItemView, InboxView},
    rpc::ListInbox,
};

use super::{
    cursors,
    extract::{Caller, Params},
};
use crate::{api_error::ApiError, app::App, wire::encode};

pub async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Result<Reply<InboxView>, ApiError> {
    let user = caller.user();
    let after = params.cursor(cursors::read_list)?;
    let mut found = app.rpc.call(&ListInbox { user, after }).await?;
    app.keys
        .for_reader(user)
        .open_messages(found.items.iter_mut().filter_map(|item| item.last_message.as_mut()))
        .await;
    let items = found.items.into_iter().map(|item| InboxItemView {
        conversation_id: item.conversation,
        unread_count: item.unread,
        head_seq: item.head,
        read_seq: item.read,
        last_message: item.last_message.map(encode::message),
    });
    Ok(Reply(InboxView {
        total_unread: found.total,
        items: items.collect(),
        next_cursor: found.next.map(cursors::write_list),
    }))
}
