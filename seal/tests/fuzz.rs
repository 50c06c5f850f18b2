//! Fuzz targets: of all the bytes that a stolen or damaged disk may have, those alone open that were sealed.
#![allow(clippy::unwrap_used)]

use natter_fuzz::fuzz;
use natter_schemas::{
    event::Body,
    id::{ConversationId, EventId, UserId},
};
use natter_seal::{Key, Place, open, seal, unwrap, wrap};

const NONCE: usize = 12;

fn place() -> Place {
    Place {
        conversation: ConversationId::from_bytes([0xc0; 16]),
        event: EventId::from_bytes([0xe1; 16]),
        author: UserId::from_bytes([0xa1; 16]),
        edits: None,
    }
}

/// The epoch of its key, its nonce, its ciphertext.
fn envelope(text: &str, key: &Key) -> Vec<u8> {
    let Body::Sealed { key_version, nonce, ciphertext } = seal(text, &place(), 7, key).unwrap() else {
        panic!("it is sealed")
    };
    [key_version.to_be_bytes().as_slice(), &nonce, &ciphertext].concat()
}

#[test]
fn nothing_opens_but_what_was_sealed() {
    let key = Key::from([1; 32]);
    let sealed = ["", "x", "Grüße 👋"].map(|text| envelope(text, &key));
    fuzz("sealed", &sealed, |bytes| {
        let (epoch, rest) = bytes.split_first_chunk::<4>()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>()?;
        let body = Body::Sealed {
            key_version: u32::from_be_bytes(*epoch),
            nonce: *nonce,
            ciphertext: ciphertext.to_vec(),
        };
        let opened = open(&body, &place(), &key).is_ok();
        assert_eq!(opened, sealed.iter().any(|whole| whole == bytes), "{bytes:02x?}");
        Some((opened, ciphertext.first().copied()))
    });
}

#[test]
fn no_key_is_unwrapped_but_one_that_was_wrapped() {
    let root = Key::from([2; 32]);
    let wrapped = wrap(&Key::from([3; 32]), &root, b"alice 1").unwrap();
    fuzz("wrapped", std::slice::from_ref(&wrapped), |bytes| {
        let unwrapped = unwrap(bytes, &root, b"alice 1").is_some();
        assert_eq!(unwrapped, bytes == wrapped, "{bytes:02x?}");
        (unwrapped, bytes.len())
    });
}
