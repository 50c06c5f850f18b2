//! An authenticated client on its socket: what the answer to a frame needs, and what becomes of the frame.

use std::sync::Arc;

use natter_schemas::{
    code::Code,
    frame::{RequestId, ServerFrame},
};

use super::request_queues::{Request, RequestQueue};
use crate::{
    admission::UserLimits,
    app::App,
    auth::Identity,
    inbound::{client_id_prefixes::SocketPrefix, read_marks::SocketReads},
    outbound::sockets::Socket,
};

pub struct Client {
    pub app: Arc<App>,
    pub socket: Arc<Socket>,
    /// What its frames take tokens of.
    pub limits: Arc<UserLimits>,
    pub reads: SocketReads,
    pub prefix: SocketPrefix,
}

/// What the socket's loop does after a frame.
pub enum Answer {
    Done,
    /// The request waits for a service, behind those before it in its queue.
    Queued(RequestQueue, Request),
    /// The token was renewed in place.
    Renewed(Identity),
    Close(Code),
}

impl Client {
    /// Puts a request into a queue; its future sends the answer.
    pub fn queued<F, Fut>(self: &Arc<Self>, queue: RequestQueue, request: F) -> Answer
    where
        F: FnOnce(Arc<Self>) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Answer::Queued(queue, Box::pin(request(self.clone())))
    }

    pub fn send(&self, frame: &ServerFrame) {
        self.socket.queue.send(frame);
    }

    /// The ack of a request that stored nothing.
    pub fn send_ack(&self, id: Option<RequestId>) {
        self.send(&ServerFrame::Ack {
            id,
            conversation_id: None,
            message_id: None,
            client_id: None,
            seq: None,
            created_at: None,
            duplicate: None,
            client_id_prefix: None,
        });
    }
}
