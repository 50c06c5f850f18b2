//! Events as bytes on the bus: one version byte, then postcard.

use crate::{event::Event, id::EventId};

/// Version 1: postcard of [`Event`] as of 2026-11.
const V1: u8 = 1;

/// Bytes that are no event of a known version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// No version byte.
    #[error("empty payload")]
    Empty,
    /// Of the version byte.
    #[error("event version {0} is not known here: a newer node wrote it")]
    Version(u8),
    /// The bytes after the version byte.
    #[error("not an event: {0}")]
    Postcard(postcard::Error),
    /// How many.
    #[error("{0} bytes after the event")]
    Trailing(usize),
}

/// The event in the newest version.
pub fn encode(event: &Event) -> Vec<u8> {
    postcard::to_extend(event, vec![V1]).expect("postcard into a Vec fails only for lengths unknown up front")
}

/// The id of an encoded event, without reading the rest; `None`: no event of a known version.
#[must_use]
pub fn event_id(bytes: &[u8]) -> Option<EventId> {
    let (&V1, rest) = bytes.split_first()? else { return None };
    rest.first_chunk::<16>().map(|id| EventId::from_bytes(*id))
}

/// An event of any known version.
///
/// # Errors
/// What is wrong with the bytes; a newer version is no corruption.
pub fn decode(bytes: &[u8]) -> Result<Event, CodecError> {
    match bytes.split_first() {
        None => Err(CodecError::Empty),
        Some((&V1, rest)) => match postcard::take_from_bytes(rest) {
            Ok((event, [])) => Ok(event),
            Ok((_, trailing)) => Err(CodecError::Trailing(trailing.len())),
            Err(e) => Err(CodecError::Postcard(e)),
        },
        Some((version, _)) => Err(CodecError::Version(*version)),
    }
}
