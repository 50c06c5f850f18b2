//! A connection that has not said hello: every frame but an acceptable `hello` is answered with an error.

use std::sync::Arc;

use natter_schemas::{
    code::Code,
    frame::{ClientFrame, RequestId},
};

use super::incoming::Incoming;
use crate::{
    admission::FrameLimit,
    api_error::ApiError,
    app::App,
    inbound::hello::Accepted,
    outbound::send_queue::Ended,
    transport::Output,
    wire::{
        decode::decode,
        frame::Frame,
        source::{Received, Source},
    },
};

pub struct Handshake<'a> {
    pub app: &'a Arc<App>,
    pub frames: &'a FrameLimit,
    pub source: &'a mut Source,
    pub output: &'a Output,
}

impl Handshake<'_> {
    pub async fn accept(self) -> Result<Accepted, Ended> {
        let draining = self.app.lifecycle.draining().clone();
        loop {
            // A `hello` that has arrived is answered; without one a node that drains has no reason to wait.
            let received = tokio::select! {
                biased;
                received = self.source.next() => received,
                () = draining.cancelled() => return Err(Some(Code::Restarting)),
            };
            let Received { message, reply, frames } = received;
            self.frames.take(frames).map_err(|_| Some(Code::TooManyFrames))?;
            if let Some(reply) = reply {
                self.write(&reply).await?;
            }
            let text = match Incoming::from(message) {
                Incoming::Text(text) => text,
                Incoming::Control => continue,
                Incoming::Binary(error) => {
                    self.send(None, &error).await?;
                    return Err(Some(Code::ProtocolError));
                }
                Incoming::End(ended) => return Err(ended),
            };
            let (id, error) = match decode(&text, &self.app.config.limits) {
                Ok(ClientFrame::Hello { id, token, device_id, resume }) => {
                    match self.app.hello.accept(&token, device_id, resume).await {
                        Ok(accepted) => return Ok(accepted),
                        Err(error) => (id, error),
                    }
                }
                Ok(other) => {
                    let error = ApiError::new(Code::Unauthenticated, "the first frame must be hello");
                    (other.id().cloned(), error)
                }
                Err(rejected) => (rejected.id, rejected.error),
            };
            self.send(id, &error).await?;
            match error.code {
                Code::Malformed | Code::Invalid => {}
                Code::Unavailable | Code::Internal => return Err(Some(Code::Restarting)),
                Code::RateLimited => return Err(Some(Code::TooManyFrames)),
                code => return Err(Some(code)),
            }
        }
    }

    async fn send(&self, id: Option<RequestId>, error: &ApiError) -> Result<(), Ended> {
        self.write(&Frame::text(&error.frame(id))).await
    }

    /// Written at once and waited for: nothing is queued for a client that is not authenticated.
    async fn write(&self, frame: &Frame) -> Result<(), Ended> {
        self.output.write_all(frame.bytes()).await.map_err(|_| None)
    }
}
