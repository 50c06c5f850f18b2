//! `ping`: the server's time.

use natter_schemas::{
    event::Timestamp,
    frame::{RequestId, ServerFrame},
};

use crate::socket::client::{Answer, Client};

pub fn answer(client: &Client, id: Option<RequestId>) -> Answer {
    client.send(&ServerFrame::Pong { id, server_time: Timestamp::now() });
    Answer::Done
}
