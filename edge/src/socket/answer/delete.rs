//! `delete`: a message is taken back.

use std::sync::Arc;

use natter_schemas::id::Seq;

use super::command::{self, Given};
use crate::{
    inbound::admit::Command,
    socket::client::{Answer, Client},
};

pub fn answer(client: &Arc<Client>, given: Given, target: Seq) -> Answer {
    command::answer(client, given, Command::Delete { target }, None)
}
