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
    match Command::react(target, emoji, on) {
        Ok(command) => command::answer(client, id, conversation, command, None),
        Err(error) => {
            client.send(&error.frame(id));
            Answer::Done
        }
    }
}
