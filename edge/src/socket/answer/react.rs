//! `react`: a reaction is set or removed.

use std::sync::Arc;

use natter_schemas::{
    frame::RequestId,
    id::{ConversationId, Seq},
};

use super::command;
use crate::{
    inbound::admit::Command,
    socket::client::{Answer, Client},
};

pub fn answer(
    client: &Arc<Client>,
    id: Option<RequestId>,
    conversation: ConversationId,
    target: Seq,
    (emoji, on): (String, bool),
) -> Answer {
    command::answer(client, id, conversation, Command::React { target, emoji, on }, None)
}
