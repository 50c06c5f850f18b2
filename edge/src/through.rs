//! The body of an answer whose pieces pass through something as its connection takes them, which is kept until the last one is
//! taken, or the connection is gone. Its length stays known, unlike with `map_frame` of http-body-util.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

struct Through<F> {
    body: Body,
    each: F,
}

pub fn through(body: Body, each: impl FnMut(Bytes) -> Bytes + Send + Unpin + 'static) -> Body {
    Body::new(Through { body, each })
}

impl<F: FnMut(Bytes) -> Bytes + Unpin> HttpBody for Through<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, each } = &mut *self;
        Pin::new(body).poll_frame(cx).map_ok(|frame| frame.map_data(each))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
