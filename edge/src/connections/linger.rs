//! A connection that is closed while its client still sends is reset, and the client may lose the answer that came before.
//! So one that answers a request before its end (413, 401, 429, 431) ends its own side, and reads on for a while without
//! looking at it (RFC 9112, section 9.6).

use std::{
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use natter_schemas::limits;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// Read at once and forgotten.
const PIECE: usize = 8 * 1024;

/// What is still read of a connection whose other side has ended.
pub(super) struct Linger {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl Linger {
    pub(super) fn new(patience: Duration) -> Self {
        Self { until: Box::pin(sleep(patience)), left: limits::HTTP_LINGER_BYTES }
    }

    /// Ready when the client has ended, or has had its time or its bytes.
    pub(super) fn poll(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        while self.left > 0 {
            let mut piece = [MaybeUninit::uninit(); PIECE];
            let mut piece = ReadBuf::uninit(&mut piece);
            match Pin::new(&mut *stream).poll_read(cx, &mut piece) {
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {
                    self.left = self.left.saturating_sub(piece.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.until.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
    }
}
