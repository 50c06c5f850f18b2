//! A sealed body (version 1): `key_version` is the epoch of the author's data key, `nonce` is random, and `ciphertext` is
//!
//! ```text
//! 1 | salt (32) | commitment (32) | AES-256-GCM of the text, with its tag (16)
//! ```
//!
//! HKDF-SHA-256 makes of the data key and 32 fresh random bytes, the salt, a key that seals this text alone, and the
//! commitment, by which a ciphertext opens with one key only. Neither comes from the event's id: the same command sent
//! again has the same id and may have another text.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use natter_schemas::{
    event::{Body, Event, Kind, Message},
    id::{ConversationId, EventId, Seq, UserId},
    rpc::SealedText,
};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key::{Key, NoRandomness, random};

const VERSION: u8 = 1;
const SALT: usize = 32;
const COMMITMENT: usize = 32;
const NONCE: usize = 12;
const INFO: &[u8] = b"natter 2026 sealed content 1";

/// Where a body belongs: it opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The conversation of its event.
    pub conversation: ConversationId,
    /// The event that has it.
    pub event: EventId,
    /// Who wrote it, with whose data key.
    pub author: UserId,
    /// Seq of the message that it edits; `None` for a message as it was posted.
    pub edits: Option<Seq>,
}

impl Place {
    /// Of the content of an event.
    pub const fn of_event(event: &Event) -> Self {
        let edits = match event.kind {
            Kind::Edited { target, .. } => Some(target),
            _ => None,
        };
        Self { conversation: event.conversation, event: event.id, author: event.author, edits }
    }

    /// Of the content that a message has now.
    pub fn of_message(message: &Message) -> Self {
        let Message { conversation, author, body_event: event, .. } = *message;
        Self { conversation, event, author, edits: (event != message.id).then_some(message.seq) }
    }

    /// Of a text that is shown to prove what its key is wanted for.
    pub const fn of_text(text: &SealedText) -> Self {
        let SealedText { conversation, event, author, edits, .. } = *text;
        Self { conversation, event, author, edits }
    }

    /// The same text as it is shown for that.
    pub fn text(&self, body: &Body) -> SealedText {
        let Self { conversation, event, author, edits } = *self;
        SealedText { conversation, event, author, edits, body: body.clone() }
    }

    /// What is authenticated with the text.
    fn authenticated(&self, epoch: u32) -> Vec<u8> {
        let (kind, target): (u8, Seq) = self.edits.map_or((1, 0), |target| (2, target));
        let mut bytes = vec![VERSION];
        bytes.extend(self.conversation.as_bytes());
        bytes.extend(self.event.as_bytes());
        bytes.extend(self.author.as_bytes());
        bytes.push(kind);
        bytes.extend(target.to_be_bytes());
        bytes.extend(epoch.to_be_bytes());
        bytes
    }
}

/// A body that was sealed with another key or for another place, or is damaged, or has a later version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("does not open: another key, another place, or damaged")]
pub struct WillNotOpen;

/// Seals a text with the author's data key of this epoch.
///
/// # Errors
/// [`NoRandomness`].
pub fn seal(text: &str, place: &Place, epoch: u32, key: &Key) -> Result<Body, NoRandomness> {
    let random: Zeroizing<[u8; SALT + NONCE]> = random()?;
    let (salt, nonce) = random.split_first_chunk().expect("it is longer");
    let nonce: [u8; NONCE] = nonce.try_into().expect("the rest is a nonce");
    Ok(seal_with(text, place, epoch, key, (*salt, nonce)))
}

fn seal_with(
    text: &str,
    place: &Place,
    epoch: u32,
    key: &Key,
    (salt, nonce): ([u8; SALT], [u8; NONCE]),
) -> Body {
    let (cipher, commitment) = derive(key, &salt, INFO);
    let payload = Payload { msg: text.as_bytes(), aad: &place.authenticated(epoch) };
    let sealed = cipher.encrypt(&nonce.into(), payload).expect("no text is as long as 64 GiB");
    let ciphertext = [[VERSION].as_slice(), &salt, &commitment, &sealed].concat();
    Body::Sealed { key_version: epoch, nonce, ciphertext }
}

/// Opens a body with the author's data key of its `key_version`. A plain one needs no key.
///
/// # Errors
/// [`WillNotOpen`].
pub fn open(body: &Body, place: &Place, key: &Key) -> Result<String, WillNotOpen> {
    let (epoch, nonce, ciphertext) = match body {
        Body::Plain(text) => return Ok(text.clone()),
        Body::Sealed { key_version, nonce, ciphertext } => (*key_version, *nonce, ciphertext.as_slice()),
    };
    let parts = || {
        let (version, rest) = ciphertext.split_first()?;
        let (salt, rest) = rest.split_first_chunk::<SALT>()?;
        let (commitment, sealed) = rest.split_first_chunk::<COMMITMENT>()?;
        (*version == VERSION).then_some((salt, commitment, sealed))
    };
    let (salt, commitment, sealed) = parts().ok_or(WillNotOpen)?;
    let (cipher, expected) = derive(key, salt, INFO);
    // Nothing secret is compared: the commitment is stored in clear.
    if expected != *commitment {
        return Err(WillNotOpen);
    }
    let payload = Payload { msg: sealed, aad: &place.authenticated(epoch) };
    let text = cipher.decrypt(&nonce.into(), payload).map_err(|_| WillNotOpen)?;
    String::from_utf8(text).map_err(|_| WillNotOpen)
}

pub fn derive(key: &Key, salt: &[u8; SALT], info: &[u8]) -> (Aes256Gcm, [u8; COMMITMENT]) {
    let mut derived = Zeroizing::new([0; 32 + COMMITMENT]);
    let hkdf = Hkdf::<Sha256>::new(Some(salt), key.bytes());
    hkdf.expand(info, derived.as_mut_slice()).expect("64 bytes are not too many");
    let (once, commitment) = derived.split_first_chunk::<32>().expect("it is longer");
    let commitment = commitment.try_into().expect("the rest is the commitment");
    (Aes256Gcm::new(&(*once).into()), commitment)
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
