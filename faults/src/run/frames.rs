//! A server that is wrong: what an edge sends to a client, with one event dropped, doubled, or exchanged with the next.
//! The oracle must find it.

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
    /// An event that comes after the next frame.
    held: Option<Vec<u8>>,
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
                while let Some(length) = length(&self.buffer) {
                    let frame: Vec<u8> = self.buffer.drain(..length).collect();
                    self.pass(frame, mutation, &mut out);
                }
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

    fn pass(&mut self, frame: Vec<u8>, mutation: &mut Option<Mutation>, out: &mut Vec<u8>) {
        let is_event = frame.windows(EVENT.len()).any(|window| window == EVENT);
        match mutation.take_if(|_| is_event) {
            Some(Mutation::Drop) => return,
            Some(Mutation::Double) => out.extend_from_slice(&frame),
            Some(Mutation::Swap) => {
                self.held = Some(frame);
                return;
            }
            None => {}
        }
        out.extend(frame);
        if is_event {
            out.extend(self.held.take().unwrap_or_default());
        }
    }
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
        let event = |n: usize| frame(&format!(r#"{{"type":"message:new","n":"{}"}}"#, "x".repeat(n)));
        let (one, two, ack) = (event(1), event(200), frame(r#"{"type":"ack"}"#));
        let all = [ack.clone(), one.clone(), ack.clone(), two.clone()];
        let is = |frames: &[&Vec<u8>]| {
            [HEAD.to_vec(), frames.iter().copied().flatten().copied().collect()].concat()
        };
        assert_eq!(passed(&all, None), is(&[&ack, &one, &ack, &two]));
        assert_eq!(passed(&all, Some(Mutation::Drop)), is(&[&ack, &ack, &two]));
        assert_eq!(passed(&all, Some(Mutation::Double)), is(&[&ack, &one, &one, &ack, &two]));
        assert_eq!(passed(&all, Some(Mutation::Swap)), is(&[&ack, &ack, &two, &one]));
    }

    #[test]
    fn answers_that_are_no_upgrade_pass_as_they_are() {
        let answer = b"HTTP/1.1 200 OK\r\n\r\n{\"type\":\"message:new\"}";
        let mut mutation = Some(Mutation::Drop);
        assert_eq!(Frames::default().take(answer, &mut mutation), answer);
        assert_eq!(mutation, Some(Mutation::Drop));
    }
}
