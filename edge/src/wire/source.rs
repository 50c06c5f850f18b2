//! Bytes of a connection become WebSocket messages: tungstenite's protocol over the read half of a TCP stream. It
//! never writes: what the protocol answers by itself (pongs, close frames) is handed to the caller to queue.

use std::{
    io::{self, Read, Write},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    net::tcp::OwnedReadHalf,
};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{Role, WebSocketConfig, WebSocketContext},
};

use super::frame::Frame;

/// A read buffer of tungstenite's default size would cost 128 KiB a socket; most frames fit into this.
const READ_BUFFER: usize = 512;

pub struct Source {
    half: OwnedReadHalf,
    /// Boxed: every future it is passed through would otherwise reserve room for it.
    context: Box<WebSocketContext>,
}

impl Source {
    /// `early`: bytes that arrived together with the handshake; `longest`: bytes of a frame, and of all parts of a
    /// message.
    pub fn new(half: OwnedReadHalf, early: Vec<u8>, longest: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_frame_size(Some(longest))
            .max_message_size(Some(longest));
        let context = WebSocketContext::from_partially_read(early, Role::Server, Some(config));
        Self { half, context: Box::new(context) }
    }

    /// The next message, and what the protocol answers to it. Cancel safe.
    pub async fn next(&mut self) -> (Result<Message, Error>, Option<Frame>) {
        std::future::poll_fn(|cx| {
            let mut stream = Stream { half: Pin::new(&mut self.half), cx, answer: Vec::new() };
            let read = self.context.read(&mut stream);
            if let Err(Error::Io(error)) = &read
                && error.kind() == io::ErrorKind::WouldBlock
            {
                return Poll::Pending;
            }
            if let Ok(Message::Ping(_) | Message::Close(_)) = &read {
                // After a close frame `flush` fails with "connection closed", but the answer has been written.
                let _ = self.context.flush(&mut stream);
            }
            let answer = stream.answer;
            Poll::Ready((read, (!answer.is_empty()).then(|| Frame::reply(answer))))
        })
        .await
    }

    /// Reads and discards until the client closes its side.
    pub async fn discard(mut self) {
        let mut discarded = [0; 4096];
        while self.half.read(&mut discarded).await.is_ok_and(|n| n > 0) {}
    }
}

/// A non-blocking stream, as tungstenite expects it.
struct Stream<'a, 'b> {
    half: Pin<&'a mut OwnedReadHalf>,
    cx: &'a mut Context<'b>,
    answer: Vec<u8>,
}

impl Read for Stream<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(into);
        match self.half.as_mut().poll_read(self.cx, &mut buffer) {
            Poll::Ready(read) => read.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Stream<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
