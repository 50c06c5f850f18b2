//! `edit`: a message gets another text.

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
    content: String,
) -> Answer {
    command::answer(client, id, conversation, Command::Edit { target, content }, None)
}
