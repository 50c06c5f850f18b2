//! `ping`: the log's time.

use natter_schemas::frame::{RequestId, ServerFrame};

use crate::socket::client::{Answer, Client};

pub fn answer(client: &Client, id: Option<RequestId>) -> Answer {
    client.send(&ServerFrame::Pong { id, server_time: client.app.clock.now() });
    Answer::Done
}
