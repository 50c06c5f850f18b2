//! `resume`: what a socket missed is sent again.

use std::sync::Arc;

use natter_schemas::frame::{Positions, RequestId, ServerFrame};

use crate::{
    outbound::catch_up::{self, PendingResume},
    socket::{
        client::{Answer, Client},
        request_queues::{Request, RequestQueue},
    },
};

pub fn answer(client: &Arc<Client>, id: Option<RequestId>, positions: &Positions) -> Answer {
    // An open socket got its positions in this epoch.
    let pending = catch_up::hold(&client.socket, positions, true);
    Answer::Queued(RequestQueue::Socket, request(client, id, pending))
}

/// Sends everything the socket missed, then `resume:done`.
pub fn request(client: &Arc<Client>, id: Option<RequestId>, pending: PendingResume) -> Request {
    let client = client.clone();
    Box::pin(async move {
        let frame = match client.app.catch_up.all(&client.socket, pending).await {
            Ok(()) => ServerFrame::ResumeDone { id },
            Err(error) => error.frame(id),
        };
        client.send(&frame);
    })
}
