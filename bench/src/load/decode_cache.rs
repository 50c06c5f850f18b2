//! All receivers of a room are sent the same bytes. They are decoded once and the result is cached, so that one
//! delivery of a thousand costs a comparison instead of a parse.

use crate::oracle::ReceivedEvent;

const SLOTS: usize = 512;

/// An event of a room, as a socket was shown it.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub room: u32,
    pub shown: ReceivedEvent,
}

pub struct DecodeCache(Vec<Option<(Box<[u8]>, Event)>>);

impl DecodeCache {
    pub fn new() -> Self {
        Self(vec![None; SLOTS])
    }

    pub fn get(&self, text: &[u8]) -> Option<Event> {
        self.0[slot(text)].as_ref().filter(|(known, _)| **known == *text).map(|(_, event)| *event)
    }

    pub fn insert(&mut self, text: &[u8], event: Event) {
        self.0[slot(text)] = Some((text.into(), event));
    }
}

fn slot(text: &[u8]) -> usize {
    let words = text.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()));
    let hash = words.fold(text.len() as u64, |hash, word| {
        (hash.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95)
    });
    usize::try_from(hash >> 32).unwrap_or(0) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_bytes_are_found() {
        let event = |number| Event { room: 1, shown: ReceivedEvent { seq: 2, prev: 1, number } };
        let mut decode_cache = DecodeCache::new();
        decode_cache.insert(b"some text", event(Some(3)));
        assert!(decode_cache.get(b"some text").is_some_and(|found| found.shown.number == Some(3)));
        assert!(decode_cache.get(b"some texu").is_none());
    }
}
