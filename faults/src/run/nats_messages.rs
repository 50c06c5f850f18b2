//! A network that loses live events: what a nats-server sends, message by message, without some of those. The connection
//! goes on, so neither end sees it.

use std::mem;

/// How each connection to a client begins.
pub const GREETING: &[u8] = b"INFO ";
const LIVE: &[u8] = b"HMSG live.";

/// The answers of one connection.
#[derive(Debug, Default)]
pub struct Messages {
    /// A part of a message.
    buffer: Vec<u8>,
}

impl Messages {
    /// What to pass on of these bytes, without the next `drops` live events.
    pub fn take(&mut self, bytes: &[u8], drops: &mut usize) -> Vec<u8> {
        self.buffer.extend_from_slice(bytes);
        let bytes = mem::take(&mut self.buffer);
        let (mut rest, mut out) = (bytes.as_slice(), Vec::with_capacity(bytes.len()));
        while let Some(length) = length(rest) {
            let (message, after) = rest.split_at(length);
            if *drops > 0 && message.starts_with(LIVE) {
                *drops -= 1;
            } else {
                out.extend_from_slice(message);
            }
            rest = after;
        }
        self.buffer.extend_from_slice(rest);
        out
    }
}

/// Of the first message, once it is whole: a line, and of `MSG` and `HMSG` as many bytes as its last word says, and an
/// end of line.
fn length(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|window| window == b"\r\n")?;
    let head = &bytes[..line];
    if !head.starts_with(b"MSG ") && !head.starts_with(b"HMSG ") {
        return Some(line + 2);
    }
    let size = std::str::from_utf8(head.rsplit(|byte| *byte == b' ').next()?).ok()?;
    let whole = line + 2 + size.parse::<usize>().ok()? + 2;
    (bytes.len() >= whole).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &[u8] = b"INFO {}\r\nHMSG live.0.a 1 4 6\r\nh\r\nxyz\r\nMSG _INBOX.b 2 5\r\n1\r\n23\r\n\
                          HMSG live-reads.0.a.b 3 4 4\r\nh\r\nx\r\nPING\r\nHMSG live.1.c 4 2 3\r\nhh!\r\n";

    #[test]
    fn live_events_are_dropped_and_nothing_else_however_bytes_arrive() {
        for size in [1, 7, SENT.len()] {
            let (mut messages, mut drops) = (Messages::default(), 1);
            let passed: Vec<u8> =
                SENT.chunks(size).flat_map(|bytes| messages.take(bytes, &mut drops)).collect();
            assert_eq!(drops, 0);
            let without = String::from_utf8_lossy(SENT).replace("HMSG live.0.a 1 4 6\r\nh\r\nxyz\r\n", "");
            assert_eq!(String::from_utf8_lossy(&passed), without);
        }
    }
}
