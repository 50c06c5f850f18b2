//! `send`: a message is posted.

use std::sync::Arc;

use natter_schemas::id::Seq;

use super::command::{self, Given};
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

pub fn answer(client: &Arc<Client>, given: Given, post: Post) -> Answer {
    let Post { content, client_id, reply_to, retry } = post;
    let command = Command::Post { content, reply_to };
    command::answer(client, given, command, Some(command::Attempt { client_id, retry }))
}
