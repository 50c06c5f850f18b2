//! Frames become bytes: everything queued in one write, and a close that the client can read.

use std::time::Duration;

use futures_util::SinkExt;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use schemas::{code::Code, limits};
use tokio::io::AsyncReadExt;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

pub type Wire = WebSocketStream<TokioIo<Upgraded>>;

/// After our close frame the client may still be sending; a connection cut with unread bytes is reset, and the
/// reset can overtake the close frame. So what still comes is read and dropped for a moment.
const LINGER: Duration = Duration::from_secs(2);

/// Writes all frames with one flush.
pub async fn frames(wire: &mut Wire, frames: Vec<Utf8Bytes>) -> Result<(), Error> {
    for frame in frames {
        wire.feed(Message::Text(frame)).await?;
    }
    wire.flush().await
}

/// Says why, and ends. A slow reader gets a grace to read what the kernel holds for it.
pub async fn close(mut wire: Wire, code: Code) {
    let close = CloseFrame {
        code: CloseCode::from(code.row().close.unwrap_or(1000)),
        reason: Utf8Bytes::from_static(code.name()),
    };
    let grace = if code == Code::SlowReader { limits::SLOW_CLOSE_GRACE } else { LINGER };
    let said = tokio::time::timeout(grace, wire.send(Message::Close(Some(close)))).await;
    if matches!(said, Ok(Ok(()))) {
        let _ = tokio::time::timeout(LINGER, drop_input(wire)).await;
    }
}

async fn drop_input(mut wire: Wire) {
    let mut scrap = [0; 4096];
    while wire.get_mut().read(&mut scrap).await.is_ok_and(|n| n > 0) {}
}
