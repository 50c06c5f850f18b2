//! WebSocket frames (RFC 6455), only what chat needs: whole messages, no extensions. The client masks what it
//! sends; a server's frames come as they are.

pub const TEXT: u8 = 0x1;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

/// Any key will do: it guards proxies of the open internet, and there is none here.
const MASK: [u8; 4] = [0x5A, 0x17, 0xC3, 0x2E];
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// No message of this protocol is larger; a length beyond it is not a length.
const LARGEST: usize = 16 * 1024 * 1024;

/// Where a frame's payload lies in the bytes it was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub opcode: u8,
    pub mask: Option<[u8; 4]>,
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub struct NotAFrame;

/// The first frame in these bytes; `None` until it is there as a whole.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, NotAFrame> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    // Fragments and extensions: no target sends them.
    if first & 0xF0 != FIN {
        return Err(NotAFrame);
    }
    let (length, used) = match second & 0x7F {
        126 => match rest.first_chunk::<2>() {
            Some(bytes) => (usize::from(u16::from_be_bytes(*bytes)), 2),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (usize::try_from(u64::from_be_bytes(*bytes)).map_err(|_| NotAFrame)?, 8),
            None => return Ok(None),
        },
        short => (usize::from(short), 0),
    };
    if length > LARGEST {
        return Err(NotAFrame);
    }
    let mask = match second & MASKED {
        0 => None,
        _ => match rest.get(used..).and_then(|rest| rest.first_chunk::<4>()) {
            Some(mask) => Some(*mask),
            None => return Ok(None),
        },
    };
    let start = 2 + used + mask.map_or(0, |mask| mask.len());
    let end = start + length;
    Ok((bytes.len() >= end).then_some(Head { opcode: first & 0x0F, mask, start, end }))
}

/// Appends a client's frame.
pub fn masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    lead(out, opcode, payload.len(), MASKED);
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    apply(&mut out[start..], MASK);
}

/// Appends a server's frame.
pub fn plain(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    lead(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Masks, and unmasks.
pub fn apply(payload: &mut [u8], mask: [u8; 4]) {
    for chunk in payload.chunks_mut(4) {
        for (byte, key) in chunk.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "each arm knows that the length fits")]
fn lead(out: &mut Vec<u8>, opcode: u8, length: usize, masked: u8) {
    out.push(FIN | opcode);
    match length {
        0..=125 => out.push(masked | length as u8),
        126..=0xFFFF => {
            out.push(masked | 0x7E);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 0x7F);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload_of(bytes: &[u8], head: Head) -> Vec<u8> {
        let mut payload = bytes[head.start..head.end].to_vec();
        head.mask.inspect(|mask| apply(&mut payload, *mask));
        payload
    }

    #[test]
    fn a_frame_of_any_length_comes_back_masked_or_not() {
        for length in [0, 1, 125, 126, 127, 300, 65_535, 65_536] {
            let text = vec![b'x'; length];
            for write in [masked, plain] {
                let mut bytes = Vec::new();
                write(&mut bytes, TEXT, &text);
                let head = head(&bytes).unwrap().unwrap();
                assert_eq!((head.opcode, head.end), (TEXT, bytes.len()));
                assert_eq!(payload_of(&bytes, head), text);
            }
        }
    }

    #[test]
    fn half_a_frame_is_waited_for() {
        let mut bytes = Vec::new();
        masked(&mut bytes, TEXT, &[b'x'; 300]);
        assert!((0..bytes.len()).all(|length| head(&bytes[..length]) == Ok(None)));
    }

    #[test]
    fn the_next_frame_begins_where_one_ends() {
        let mut bytes = Vec::new();
        plain(&mut bytes, TEXT, b"one");
        plain(&mut bytes, PING, b"two");
        let first = head(&bytes).unwrap().unwrap();
        let second = head(&bytes[first.end..]).unwrap().unwrap();
        assert_eq!((second.opcode, payload_of(&bytes[first.end..], second)), (PING, b"two".to_vec()));
    }

    #[test]
    fn bytes_that_are_no_frame_are_an_error() {
        assert_eq!(head(b"HTTP/1.1 400"), Err(NotAFrame));
        let mut endless = vec![FIN | TEXT, 127];
        endless.extend_from_slice(&u64::MAX.to_be_bytes());
        assert_eq!(head(&endless), Err(NotAFrame));
    }
}
