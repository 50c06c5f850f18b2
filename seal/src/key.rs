use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness;

/// 32 secret bytes: overwritten when it is dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl From<[u8; 32]> for Key {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Key {
    /// Of 32 fresh random bytes.
    pub fn random() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// Its bytes, for another key to wrap or a caller to use.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&(*self.0).into())
    }
}

pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, NoRandomness> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

const NONCE: usize = 12;

/// A random nonce, then the key encrypted by AES-256-GCM under `by`. It opens only with the same `place`: what names the
/// record that it is stored in.
///
/// # Errors
/// [`NoRandomness`].
pub fn wrap(key: &Key, by: &Key, place: &[u8]) -> Result<Vec<u8>, NoRandomness> {
    let nonce: Zeroizing<[u8; NONCE]> = random()?;
    let payload = Payload { msg: key.bytes(), aad: place };
    let sealed = by.cipher().encrypt(&(*nonce).into(), payload).expect("32 bytes are not too long");
    Ok([nonce.as_slice(), sealed.as_slice()].concat())
}

/// What [`wrap`] wrapped; `None` if it is another key's, another record's, or damaged.
pub fn unwrap(wrapped: &[u8], by: &Key, place: &[u8]) -> Option<Key> {
    let (nonce, sealed) = wrapped.split_first_chunk::<NONCE>()?;
    let opened = by.cipher().decrypt(&(*nonce).into(), Payload { msg: sealed, aad: place }).ok()?;
    let opened = Zeroizing::new(opened);
    Some(Key::from(<[u8; 32]>::try_from(opened.as_slice()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_opens_in_its_own_record_only() {
        let (key, by) = (Key::random().unwrap(), Key::random().unwrap());
        let wrapped = wrap(&key, &by, b"alice 1").unwrap();
        assert_eq!(unwrap(&wrapped, &by, b"alice 1"), Some(key.clone()));
        assert_eq!(unwrap(&wrapped, &by, b"alice 2"), None);
        assert_eq!(unwrap(&wrapped, &key, b"alice 1"), None);
        for cut in 0..wrapped.len() {
            assert_eq!(unwrap(&wrapped[..cut], &by, b"alice 1"), None, "{cut}");
        }
        assert_ne!(wrapped, wrap(&key, &by, b"alice 1").unwrap(), "nonces are fresh");
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", Key::from([7; 32])), "Key(…)");
    }
}
