//! `react`: a reaction is set or removed.

use std::sync::Arc;

use natter_schemas::id::Seq;

use super::command::{self, Given};
use crate::{
    inbound::admit::Command,
    socket::client::{Answer, Client},
};

pub fn answer(client: &Arc<Client>, given: Given, target: Seq, (emoji, on): (String, bool)) -> Answer {
    match Command::react(target, emoji, on) {
        Ok(command) => command::answer(client, given, command, None),
        Err(error) => {
            client.send(&error.frame(given.id));
            Answer::Done
        }
    }
}
