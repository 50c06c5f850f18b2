//! A frame as it goes over the wire (RFC 6455 §5.2): finished once, its bytes shared by every socket it is for.

use std::time::Instant;

use bytes::Bytes;
use natter_schemas::{code::Code, frame::ServerFrame};
use tokio_tungstenite::tungstenite::{
    Utf8Bytes,
    protocol::{
        CloseFrame,
        frame::{
            Frame as RawFrame, FrameHeader,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

/// The longest header of a server: two bytes and a length of eight.
const HEADER: usize = 10;
/// Most frames are shorter; a longer one grows its buffer once or twice.
const TYPICAL: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    pub fn text(frame: &ServerFrame) -> Self {
        let mut bytes = Vec::with_capacity(TYPICAL);
        // The header contains the length of what follows it: room for the longest one.
        bytes.resize(HEADER, 0);
        frame.write_json(&mut bytes);
        let length = bytes.len() - HEADER;
        let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
        let start = HEADER - header.len(length as u64);
        let mut room = &mut bytes[start..HEADER];
        header.format(length as u64, &mut room).expect("the header fits the length it reported");
        if bytes.capacity() > TYPICAL {
            // It may wait for a slow reader: by doubling, its buffer may have become twice as long as it is.
            bytes.shrink_to_fit();
        }
        Self(Bytes::from(bytes).split_off(start))
    }

    /// The same bytes. When the last socket has them, or was closed without, it is recorded how long that took since the event.
    pub fn timed(self, since: Instant) -> Self {
        Self(Bytes::from_owner(Timed { bytes: self.0, since }))
    }

    pub fn ping() -> Self {
        Self::control(RawFrame::ping(Bytes::new()))
    }

    /// With the code's close number and its name as the reason.
    pub fn close(code: Code) -> Self {
        let reason = CloseFrame {
            code: CloseCode::from(code.row().close.unwrap_or(1000)),
            reason: Utf8Bytes::from_static(code.name()),
        };
        Self::control(RawFrame::close(Some(reason)))
    }

    /// What tungstenite answers by itself: pongs, and close frames to close frames.
    pub fn reply(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    fn control(frame: RawFrame) -> Self {
        let mut bytes = Vec::with_capacity(frame.len());
        frame.format(&mut bytes).expect("a vector takes everything");
        Self(bytes.into())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Bytes that many share; dropped with the last of them, whoever that is.
struct Timed {
    bytes: Bytes,
    since: Instant,
}

impl AsRef<[u8]> for Timed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        metrics::histogram!("natter_delivery_seconds").record(self.since.elapsed());
    }
}

#[cfg(test)]
impl Frame {
    pub fn of(text: &str) -> Self {
        Self(Bytes::from(text.to_owned()))
    }

    /// What its receiver reads.
    pub fn payload(&self) -> Bytes {
        let mut bytes = std::io::Cursor::new(&self.0[..]);
        let (_, length) = FrameHeader::parse(&mut bytes).expect("a header").expect("a whole one");
        let start = usize::try_from(bytes.position()).expect("a position in memory");
        assert_eq!(length, (self.0.len() - start) as u64);
        self.0.slice(start..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_a_frame_has_its_length() {
        for length in [0, 10, 100, 200, 60_000, 65_400, 70_000] {
            let frame = ServerFrame::Error {
                id: None,
                code: Code::Internal,
                message: "x".repeat(length),
                retry_after_ms: None,
            };
            assert_eq!(Frame::text(&frame).payload(), frame.to_json());
        }
    }

    #[test]
    fn a_timed_frame_is_recorded_once_with_its_last_copy() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let recorded = || recorder.handle().render().contains("natter_delivery_seconds_count 1\n");
        metrics::with_local_recorder(&recorder, || {
            let frame = Frame::of("x").timed(Instant::now());
            let copies = [frame.clone(), frame.clone()];
            drop(frame);
            assert_eq!(copies[1].bytes(), b"x");
            assert!(!recorded());
            drop(copies);
        });
        assert!(recorded());
    }

    #[test]
    fn control_frames_are_those_of_the_rfc() {
        assert_eq!(Frame::ping().bytes(), [0x89, 0]);
        let close = Frame::close(Code::SlowReader);
        assert_eq!((close.bytes()[0], &close.payload()[..2]), (0x88, &4008_u16.to_be_bytes()[..]));
    }
}
