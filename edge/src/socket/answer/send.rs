//! `send`: a message is posted.

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

pub struct Post {
    pub content: String,
    pub client_id: String,
    pub reply_to: Option<Seq>,
    /// A second attempt of the same message.
    pub retry: bool,
}

pub fn answer(
    client: &Arc<Client>,
    id: Option<RequestId>,
    conversation: ConversationId,
    post: Post,
) -> Answer {
    let Post { content, client_id, reply_to, retry } = post;
    let command = Command::Post { content, reply_to };
    command::answer(client, id, conversation, command, Some(command::Attempt { client_id, retry }))
}
