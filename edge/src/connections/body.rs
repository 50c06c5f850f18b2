//! The body of a request, which may be answered before its end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use natter_schemas::limits;
use tokio::time::timeout;

use super::progress::RequestProgress;

/// Says when it was read to its end. What is left of it when it is dropped is read on for a while: without that its connection
/// would end behind the answer, under the client's next request.
pub struct RequestBody {
    /// `None`: dropped.
    body: Option<Incoming>,
    progress: RequestProgress,
}

impl RequestBody {
    pub fn new(body: Incoming, progress: RequestProgress) -> Self {
        progress.header_ended();
        let body = Self { body: Some(body), progress };
        body.note(body.is_end_stream());
        body
    }

    fn note(&self, ends: bool) {
        if ends {
            self.progress.body_ended();
        }
    }

    async fn drain(mut self) {
        let mut left = limits::HTTP_LINGER_BYTES;
        let reading = async {
            while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
                left = left.checked_sub(frame.data_ref().map_or(0, Bytes::len))?;
            }
            Some(())
        };
        // Its client has had its time, or its bytes: the connection ends.
        let _ = timeout(limits::HTTP_LINGER, reading).await;
        self.body = None;
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            let rest = Self { body: Some(body), progress: self.progress.clone() };
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(rest.drain());
            }
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        self.note(matches!(frame, Poll::Ready(None)) || self.is_end_stream());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}
