//! A field of a user's record, sealed for its user and field:
//!
//! ```text
//! 1 | epoch (4) | salt (32) | nonce (12) | commitment (32) | AES-256-GCM of the text, with its tag (16)
//! ```
//!
//! As a message's text is ([`crate::seal`]), with another domain of keys.

use aes_gcm::aead::{Aead, Payload};
use hkdf::Hkdf;
use natter_schemas::id::UserId;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    content::{WillNotOpen, derive},
    key::{Key, NoRandomness, random},
};

const VERSION: u8 = 1;
const INFO: &[u8] = b"natter 2026 sealed profile 1";
const LOOKUP: &[u8] = b"natter 2026 look-up 1";

/// Which field of a user it is: it opens as no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The email address.
    Email,
    /// The display name.
    DisplayName,
}

impl Field {
    const fn byte(self) -> u8 {
        match self {
            Self::Email => 1,
            Self::DisplayName => 2,
        }
    }

    fn authenticated(self, user: UserId, epoch: u32) -> Vec<u8> {
        [&[VERSION, self.byte()][..], user.as_bytes(), &epoch.to_be_bytes()].concat()
    }
}

/// Seals a field with the user's data key of this epoch.
///
/// # Errors
/// [`NoRandomness`].
pub fn seal_field(
    text: &str,
    (user, field): (UserId, Field),
    epoch: u32,
    key: &Key,
) -> Result<Vec<u8>, NoRandomness> {
    let random: Zeroizing<[u8; 44]> = random()?;
    let (salt, nonce) = random.split_first_chunk::<32>().expect("it is longer");
    let nonce: [u8; 12] = nonce.try_into().expect("the rest is a nonce");
    let (cipher, commitment) = derive(key, salt, INFO);
    let payload = Payload { msg: text.as_bytes(), aad: &field.authenticated(user, epoch) };
    let sealed = cipher.encrypt(&nonce.into(), payload).expect("no text is as long as 64 GiB");
    Ok([&[VERSION][..], &epoch.to_be_bytes(), salt, &nonce, &commitment, &sealed].concat())
}

/// The epoch of the key that a field is sealed with; `None` for what is no such field.
pub fn epoch_of_field(sealed: &[u8]) -> Option<u32> {
    let (version, rest) = sealed.split_first()?;
    let (epoch, _) = rest.split_first_chunk::<4>()?;
    (*version == VERSION).then(|| u32::from_be_bytes(*epoch))
}

/// Opens a field with the user's data key of its epoch.
///
/// # Errors
/// [`WillNotOpen`].
pub fn open_field(sealed: &[u8], (user, field): (UserId, Field), key: &Key) -> Result<String, WillNotOpen> {
    let epoch = epoch_of_field(sealed).ok_or(WillNotOpen)?;
    let parts = || {
        let (salt, rest) = sealed.get(5..)?.split_first_chunk::<32>()?;
        let (nonce, rest) = rest.split_first_chunk::<12>()?;
        let (commitment, sealed) = rest.split_first_chunk::<32>()?;
        Some((salt, nonce, commitment, sealed))
    };
    let (salt, nonce, commitment, sealed) = parts().ok_or(WillNotOpen)?;
    let (cipher, expected) = derive(key, salt, INFO);
    if expected != *commitment {
        return Err(WillNotOpen);
    }
    let payload = Payload { msg: sealed, aad: &field.authenticated(user, epoch) };
    let text = cipher.decrypt(&(*nonce).into(), payload).map_err(|_| WillNotOpen)?;
    String::from_utf8(text).map_err(|_| WillNotOpen)
}

/// By what a text is found without being stored: 16 bytes that follow from it and the key alone. `kind` keeps texts of
/// different uses apart.
pub fn look_up(text: &str, kind: u8, key: &Key) -> [u8; 16] {
    let hkdf = Hkdf::<Sha256>::new(Some(key.bytes()), text.as_bytes());
    let mut found = [0; 16];
    hkdf.expand(&[LOOKUP, &[kind]].concat(), &mut found).expect("16 bytes are not too many");
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_opens_for_its_user_as_itself_with_its_key() {
        let (user, key) = (UserId::fresh(), Key::from([1; 32]));
        let place = (user, Field::Email);
        let sealed = seal_field("zoe@example.org", place, 7, &key).unwrap();
        assert_eq!(epoch_of_field(&sealed), Some(7));
        assert_eq!(open_field(&sealed, place, &key).unwrap(), "zoe@example.org");
        assert_eq!(open_field(&sealed, (user, Field::DisplayName), &key), Err(WillNotOpen));
        assert_eq!(open_field(&sealed, (UserId::fresh(), Field::Email), &key), Err(WillNotOpen));
        assert_eq!(open_field(&sealed, place, &Key::from([2; 32])), Err(WillNotOpen));
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(open_field(&damaged, place, &key), Err(WillNotOpen), "{at}");
            assert_eq!(open_field(&sealed[..at], place, &key), Err(WillNotOpen), "{at}");
        }
        assert_ne!(sealed, seal_field("zoe@example.org", place, 7, &key).unwrap(), "nothing is used twice");
    }

    #[test]
    fn a_look_up_is_the_same_for_the_same_text_and_use() {
        let key = Key::from([1; 32]);
        assert_eq!(look_up("a", 1, &key), look_up("a", 1, &key));
        let others = [look_up("b", 1, &key), look_up("a", 2, &key), look_up("a", 1, &Key::from([2; 32]))];
        assert!(!others.contains(&look_up("a", 1, &key)));
    }
}
