//! Bytes of a connection become WebSocket messages: tungstenite's protocol over what a connection's client sends. It
//! never writes: what the protocol answers by itself (pongs, close frames) is handed to the caller to queue.

use std::{
    io::{self, Read, Write},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{Role, WebSocketConfig, WebSocketContext},
};

use super::frame::Frame;
use crate::transport::Input;

/// A read buffer of tungstenite's default size would cost 128 KiB a socket; most frames fit into this.
const READ_BUFFER: usize = 512;

/// Frames without a message that are read in one turn: the parts of one. Then their limit is looked at.
const PARTS_IN_A_TURN: u32 = 64;

pub struct Source {
    input: Input,
    /// Boxed: every future it is passed through would otherwise reserve room for it.
    context: Box<WebSocketContext>,
    frames: FrameCounter,
}

/// What one turn of reading gave.
pub struct Received {
    /// `None`: parts of a message that is not complete.
    pub message: Option<Result<Message, Error>>,
    /// What the protocol answers.
    pub reply: Option<Frame>,
    /// Frames of any kind that arrived, those of later messages included.
    pub frames: u32,
}

impl Source {
    /// `early`: bytes that arrived together with the handshake; `longest`: bytes of a frame, and of all parts of a
    /// message.
    pub fn new(input: Input, early: Vec<u8>, longest: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_frame_size(Some(longest))
            .max_message_size(Some(longest));
        let mut frames = FrameCounter::default();
        frames.pass(&early);
        let context = WebSocketContext::from_partially_read(early, Role::Server, Some(config));
        Self { input, context: Box::new(context), frames }
    }

    /// Bytes that arrived since the handshake.
    pub const fn received(&self) -> u64 {
        self.frames.bytes
    }

    /// The next message, or some parts of it. Cancel safe.
    pub async fn next(&mut self) -> Received {
        std::future::poll_fn(|cx| {
            let input = Pin::new(&mut self.input);
            let mut stream = Stream { input, cx, frames: &mut self.frames, answer: Vec::new() };
            let read = self.context.read(&mut stream);
            let waits = matches!(&read, Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock);
            if waits && stream.frames.count < PARTS_IN_A_TURN {
                return Poll::Pending;
            }
            if let Ok(Message::Ping(_) | Message::Close(_)) = &read {
                // After a close frame `flush` fails with "connection closed", but the answer has been written.
                let _ = self.context.flush(&mut stream);
            }
            let Stream { frames, answer, .. } = stream;
            Poll::Ready(Received {
                message: (!waits).then_some(read),
                reply: (!answer.is_empty()).then(|| Frame::reply(answer)),
                frames: std::mem::take(&mut frames.count),
            })
        })
        .await
    }

    /// Reads and discards until the client closes its side.
    pub async fn discard(mut self) {
        let mut discarded = [0; 4096];
        while self.input.read(&mut discarded).await.is_ok_and(|n| n > 0) {}
    }
}

/// A non-blocking stream, as tungstenite expects it.
struct Stream<'a, 'b> {
    input: Pin<&'a mut Input>,
    cx: &'a mut Context<'b>,
    frames: &'a mut FrameCounter,
    answer: Vec<u8>,
}

impl Read for Stream<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.frames.count >= PARTS_IN_A_TURN {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut buffer = ReadBuf::new(into);
        match self.input.as_mut().poll_read(self.cx, &mut buffer) {
            Poll::Ready(read) => {
                self.frames.pass(buffer.filled());
                read.map(|()| buffer.filled().len())
            }
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

/// Counts frames by their headers (RFC 6455 §5.2) as the bytes pass: tungstenite reports whole messages only, and a
/// message may have any number of parts that cost work and contain nothing.
#[derive(Default)]
struct FrameCounter {
    header: [u8; FrameCounter::LONGEST],
    /// Bytes of the header that have passed.
    known: usize,
    /// Bytes of the payload that are still to pass.
    payload: u64,
    /// Frames that began since this was last taken.
    count: u32,
    /// All that passed.
    bytes: u64,
}

impl FrameCounter {
    /// Two bytes, a length of eight, a mask of four.
    const LONGEST: usize = 14;

    fn pass(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let skipped = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
            self.payload -= skipped as u64;
            bytes = &bytes[skipped..];
            let Some((byte, rest)) = bytes.split_first() else { return };
            self.header[self.known] = *byte;
            self.known += 1;
            bytes = rest;
            if let Some(payload) = payload_length(&self.header[..self.known]) {
                self.payload = payload;
                self.known = 0;
                self.count = self.count.saturating_add(1);
            }
        }
    }
}

/// Of a frame whose header is complete.
fn payload_length(header: &[u8]) -> Option<u64> {
    let (length, mask) = (header.get(1)? & 0x7f, usize::from(header[1] >> 7) * 4);
    let extended = match length {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let bytes = header.get(2..2 + extended)?;
    let complete = header.len() == 2 + extended + mask;
    let long = || bytes.iter().fold(0, |length, byte| (length << 8) | u64::from(*byte));
    complete.then(|| if extended == 0 { u64::from(length) } else { long() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame, as clients send them.
    fn frame(length: usize) -> Vec<u8> {
        let mut bytes = vec![0x81];
        match length {
            0..126 => bytes.push(0x80 | u8::try_from(length).expect("small")),
            126..65_536 => {
                bytes.push(0x80 | 0x7e);
                bytes.extend(u16::try_from(length).expect("16 bits").to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 0x7f);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend([1, 2, 3, 4]);
        bytes.resize(bytes.len() + length, 0x81);
        bytes
    }

    #[test]
    fn every_frame_counts_once_however_its_bytes_are_cut() {
        let lengths = [0, 5, 0, 125, 126, 300, 65_535, 65_536, 0, 1];
        let bytes: Vec<u8> = lengths.into_iter().flat_map(frame).collect();
        for cut in [1, 2, 3, 7, 512, 100_000, bytes.len()] {
            let mut counter = FrameCounter::default();
            bytes.chunks(cut).for_each(|chunk| counter.pass(chunk));
            assert_eq!(
                (counter.count as usize, counter.known, counter.payload),
                (lengths.len(), 0, 0),
                "{cut}"
            );
        }
    }
}

#[cfg(test)]
mod fuzz {
    use natter_fuzz::{fuzz, kind_of};

    use super::*;

    const LONGEST: usize = 1024;

    /// Nothing more comes.
    struct Silence;

    impl Read for Silence {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    impl Write for Silence {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_bytes_are_more_messages_than_frames_or_longer_ones() {
        fuzz("sockets", &[], |bytes| {
            let mut counter = FrameCounter::default();
            counter.pass(bytes);
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_BUFFER)
                .max_frame_size(Some(LONGEST))
                .max_message_size(Some(LONGEST));
            let mut context =
                WebSocketContext::from_partially_read(bytes.to_vec(), Role::Server, Some(config));
            let mut kinds = Vec::new();
            loop {
                match context.read(&mut Silence) {
                    Ok(message) => {
                        assert!(message.len() <= LONGEST);
                        kinds.push(format!("{:?}", std::mem::discriminant(&message)));
                    }
                    Err(error) => {
                        kinds.push(kind_of(&error.to_string()));
                        break;
                    }
                }
            }
            assert!(kinds.len() <= counter.count as usize + 1, "{kinds:?} of {} frames", counter.count);
            kinds.truncate(8);
            kinds
        });
    }
}
