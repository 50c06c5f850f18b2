//! Sealing, its committed vectors, and what must not open.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};

use super::*;

fn place() -> Place {
    Place {
        conversation: ConversationId::from_bytes([0xc0; 16]),
        event: EventId::from_bytes([0xe1; 16]),
        author: UserId::from_bytes([0xa1; 16]),
        edits: None,
    }
}

fn key(byte: u8) -> Key {
    Key::from([byte; 32])
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn a_sealed_text_opens_with_its_key_in_its_place() {
    for text in ["", "x", "Grüße 👋", &"\u{1}".repeat(8192)] {
        let body = seal(text, &place(), 7, &key(1)).unwrap();
        assert_eq!(open(&body, &place(), &key(1)).as_deref(), Ok(text));
    }
    assert_eq!(open(&Body::Plain("in clear".to_owned()), &place(), &key(1)).as_deref(), Ok("in clear"));
}

#[test]
fn a_body_moved_to_another_place_does_not_open() {
    let body = seal("secret", &place(), 7, &key(1)).unwrap();
    let moved = [
        Place { conversation: ConversationId::fresh(), ..place() },
        Place { event: EventId::fresh(), ..place() },
        Place { author: UserId::fresh(), ..place() },
        Place { edits: Some(0), ..place() },
        Place { edits: Some(4), ..place() },
    ];
    for other in moved {
        assert_eq!(open(&body, &other, &key(1)), Err(WillNotOpen), "{other:?}");
    }
    assert_eq!(open(&body, &place(), &key(2)), Err(WillNotOpen));
    let edit = seal("secret", &Place { edits: Some(4), ..place() }, 7, &key(1)).unwrap();
    assert_eq!(open(&edit, &Place { edits: Some(5), ..place() }, &key(1)), Err(WillNotOpen));
    let Body::Sealed { nonce, ciphertext, .. } = body else { panic!("it is sealed") };
    let other_epoch = Body::Sealed { key_version: 8, nonce, ciphertext };
    assert_eq!(open(&other_epoch, &place(), &key(1)), Err(WillNotOpen));
}

#[test]
fn no_changed_or_shortened_body_opens() {
    let Body::Sealed { key_version, nonce, ciphertext } = seal("secret", &place(), 7, &key(1)).unwrap()
    else {
        panic!("it is sealed")
    };
    let open_bytes = |nonce, ciphertext: Vec<u8>| {
        open(&Body::Sealed { key_version, nonce, ciphertext }, &place(), &key(1))
    };
    for at in 0..ciphertext.len() {
        let mut changed = ciphertext.clone();
        changed[at] ^= 1;
        assert_eq!(open_bytes(nonce, changed), Err(WillNotOpen), "byte {at}");
        assert_eq!(open_bytes(nonce, ciphertext[..at].to_vec()), Err(WillNotOpen), "first {at}");
    }
    assert_eq!(open_bytes([0; 12], ciphertext), Err(WillNotOpen));
}

#[test]
fn the_same_text_sealed_again_shares_nothing() {
    let parts = || match seal("secret", &place(), 7, &key(1)).unwrap() {
        Body::Sealed { nonce, ciphertext, .. } => (nonce, ciphertext),
        Body::Plain(_) => panic!("it is sealed"),
    };
    let ((nonce, ciphertext), (other_nonce, other)) = (parts(), parts());
    assert_ne!(nonce, other_nonce);
    assert_ne!(ciphertext[1..33], other[1..33], "salts");
    assert_ne!(ciphertext[33..65], other[33..65], "commitments");
    assert_ne!(ciphertext[65..], other[65..], "texts");
}

/// What is decoded for ever, as every reader of another language must decode it.
fn vectors() -> Value {
    let cases = [("", None, 1), ("Grüße 👋", None, 4_000_000_000), ("better", Some(1 << 40), 2)];
    let vectors = (1_u8..).zip(cases).map(|(n, (text, edits, epoch))| {
        let place = Place { edits, ..place() };
        let body = seal_with(text, &place, epoch, &key(n), ([n; SALT], [n; NONCE]));
        let Body::Sealed { key_version, nonce, ciphertext } = &body else { panic!("it is sealed") };
        assert_eq!(open(&body, &place, &key(n)).as_deref(), Ok(text));
        json!({
            "key": hex(key(n).bytes()), "conversation": place.conversation, "event": place.event,
            "author": place.author, "edits": edits, "keyVersion": key_version, "nonce": hex(nonce),
            "ciphertext": hex(ciphertext), "text": text,
        })
    });
    vectors.collect()
}

fn tests_folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

#[test]
fn bodies_sealed_by_earlier_versions_still_open() {
    let file = tests_folder().join("vectors.json");
    let now = serde_json::to_string_pretty(&vectors()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &now).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), now, "vectors never change: a new form is a new version");
}

/// Written from the description alone, with nothing but Python's library: it shows that the description is enough.
#[test]
fn a_decoder_in_another_language_opens_the_vectors() {
    let decoder = Command::new("python3").arg(tests_folder().join("decode.py")).output().unwrap();
    let said = String::from_utf8_lossy(&decoder.stdout).into_owned();
    assert!(decoder.status.success(), "{said}{}", String::from_utf8_lossy(&decoder.stderr));
    assert_eq!(said.trim(), "3 vectors open, 3 refuse another author");
}
