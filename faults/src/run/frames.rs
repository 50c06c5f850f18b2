//! A server that is wrong: what an edge sends to a client, with one event dropped, doubled, or exchanged with the next.
//! The oracle must find it.

use std::mem;

/// What is done to the next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    Drop,
    Double,
    Swap,
}

/// The answers of one connection: passed on as they are, until it is upgraded to a WebSocket; then frame by frame.
#[derive(Debug, Default)]
pub struct Frames {
    stage: Stage,
    /// Not passed on: part of a head or of a frame.
    buffer: Vec<u8>,
    /// An event that comes after the next one of its conversation, which these bytes name.
    held: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Head,
    Frames,
    Other,
}

const UPGRADED: &[u8] = b"HTTP/1.1 101";
const EVENT: &[u8] = br#""message:new""#;
const CONVERSATION: &[u8] = br#""conversationId":"#;

impl Frames {
    /// What to pass on of these bytes; the mutation is taken when it is done.
    pub fn take(&mut self, bytes: &[u8], mutation: &mut Option<Mutation>) -> Vec<u8> {
        self.buffer.extend_from_slice(bytes);
        let mut out = Vec::new();
        if self.stage == Stage::Head {
            out.extend(self.head());
        }
        match self.stage {
            Stage::Head => {}
            Stage::Other => out.append(&mut self.buffer),
            Stage::Frames => {
                let bytes = mem::take(&mut self.buffer);
                let mut rest = bytes.as_slice();
                while let Some(length) = length(rest) {
                    let (frame, after) = rest.split_at(length);
                    self.pass(frame, mutation, &mut out);
                    rest = after;
                }
                self.buffer.extend_from_slice(rest);
            }
        }
        out
    }

    fn head(&mut self) -> Vec<u8> {
        let known = self.buffer.len().min(UPGRADED.len());
        if self.buffer[..known] != UPGRADED[..known] {
            self.stage = Stage::Other;
            return Vec::new();
        }
        let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Vec::new();
        };
        self.stage = Stage::Frames;
        self.buffer.drain(..end + 4).collect()
    }

    fn pass(&mut self, frame: &[u8], mutation: &mut Option<Mutation>, out: &mut Vec<u8>) {
        if mutation.is_none() && self.held.is_none() {
            return out.extend_from_slice(frame);
        }
        let is_event = frame.windows(EVENT.len()).any(|window| window == EVENT);
        match mutation.take_if(|_| is_event) {
            Some(Mutation::Drop) => return,
            Some(Mutation::Double) => out.extend_from_slice(frame),
            Some(Mutation::Swap) => {
                self.held = Some((conversation(frame).to_vec(), frame.to_vec()));
                return;
            }
            None => {}
        }
        out.extend_from_slice(frame);
        let next = |(of, _): &mut (Vec<u8>, Vec<u8>)| is_event && conversation(frame) == of;
        out.extend(self.held.take_if(next).map(|(_, held)| held).unwrap_or_default());
    }
}

/// What names the conversation of an event: from the name of the field to where every id has ended.
fn conversation(frame: &[u8]) -> &[u8] {
    let at = frame.windows(CONVERSATION.len()).position(|window| window == CONVERSATION);
    let named = at.map(|at| &frame[at..]).unwrap_or_default();
    &named[..named.len().min(CONVERSATION.len() + 38)]
}

/// Of the first frame, once it is whole: two bytes, up to eight of length, no mask, the payload.
fn length(bytes: &[u8]) -> Option<usize> {
    let (head, payload) = match bytes.get(1)? & 0x7F {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let whole = payload.checked_add(head)?;
    (bytes.len() >= whole).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    fn frame(text: &str) -> Vec<u8> {
        let text = text.as_bytes();
        let mut frame = vec![0x81];
        if text.len() < 126 {
            frame.push(u8::try_from(text.len()).unwrap());
        } else {
            frame.push(126);
            frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        }
        [frame.as_slice(), text].concat()
    }

    /// Byte by byte: frames come in any pieces.
    fn passed(frames: &[Vec<u8>], mutation: Option<Mutation>) -> Vec<u8> {
        let (mut state, mut mutation) = (Frames::default(), mutation);
        let all = [HEAD.to_vec(), frames.concat()].concat();
        let out = all.iter().flat_map(|byte| state.take(&[*byte], &mut mutation)).collect();
        assert_eq!(mutation, None);
        out
    }

    #[test]
    fn an_event_is_dropped_doubled_or_exchanged_with_the_next() {
        let event = |room: u8, text: &str| {
            let room = format!("00000000-0000-0000-0000-00000000000{room}");
            frame(&format!(r#"{{"type":"message:new","conversationId":"{room}","text":"{text}"}}"#))
        };
        let (one, two, ack) = (event(1, "a"), event(1, &"b".repeat(200)), frame(r#"{"type":"ack"}"#));
        let other = event(2, "c");
        let all = [ack.clone(), one.clone(), other.clone(), ack.clone(), two.clone()];
        let is = |frames: &[&Vec<u8>]| {
            [HEAD.to_vec(), frames.iter().copied().flatten().copied().collect()].concat()
        };
        assert_eq!(passed(&all, None), is(&[&ack, &one, &other, &ack, &two]));
        assert_eq!(passed(&all, Some(Mutation::Drop)), is(&[&ack, &other, &ack, &two]));
        assert_eq!(passed(&all, Some(Mutation::Double)), is(&[&ack, &one, &one, &other, &ack, &two]));
        assert_eq!(passed(&all, Some(Mutation::Swap)), is(&[&ack, &other, &ack, &two, &one]));
    }

    #[test]
    fn answers_that_are_no_upgrade_pass_as_they_are() {
        let answer = b"HTTP/1.1 200 OK\r\n\r\n{\"type\":\"message:new\"}";
        let mut mutation = Some(Mutation::Drop);
        assert_eq!(Frames::default().take(answer, &mut mutation), answer);
        assert_eq!(mutation, Some(Mutation::Drop));
    }
}
