//! Old logs are read for ever: these bytes were written by released code and never change.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use natter_schemas::{
    codec::{CodecError, decode, encode},
    event::{Body, Event, Kind, Member, Role, Shape, Timestamp},
    id::{ConversationId, EventId, UserId},
};
use proptest::prelude::*;

fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

fn event(kind: Kind) -> Event {
    Event {
        id: EventId::from_bytes([0xe1; 16]),
        conversation: ConversationId::from_bytes([0xc0; 16]),
        author: user(0xa1),
        device: "laptop".into(),
        client_id: Some("c-1".into()),
        at: Timestamp(1_795_219_200_123),
        kind,
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
    }
}

/// The least an event can hold: from a service, without any optional part.
fn bare(kind: Kind) -> Event {
    Event { device: String::new(), client_id: None, at: Timestamp(0), traceparent: None, ..event(kind) }
}

fn plain(text: &str) -> Body {
    Body::Plain(text.into())
}

fn sealed() -> Body {
    Body::Sealed { key_version: 300, nonce: [9; 12], ciphertext: vec![0, 1, 2, 0xff] }
}

fn events() -> Vec<(&'static str, Event)> {
    use Kind::{Created, Deleted, Edited, MemberAdded, MemberRemoved, Posted, Reacted, Renamed, RoleChanged};
    let members = vec![
        Member { user: user(1), role: Role::Owner },
        Member { user: user(2), role: Role::Admin },
        Member { user: user(3), role: Role::Member },
    ];
    let pair = members.iter().take(2).copied().collect();
    vec![
        ("posted-plain", event(Posted { body: plain("Grüße 👋"), reply_to: Some(300) })),
        ("posted-sealed", event(Posted { body: sealed(), reply_to: None })),
        ("posted-bare", bare(Posted { body: plain("x"), reply_to: None })),
        ("edited-plain", event(Edited { target: 7, body: plain("better") })),
        ("edited-sealed", event(Edited { target: u64::MAX, body: sealed() })),
        ("deleted", event(Deleted { target: 7 })),
        ("reacted-on", event(Reacted { target: 7, emoji: "👍🏽".into(), on: true })),
        ("reacted-off", event(Reacted { target: 7, emoji: "👍🏽".into(), on: false })),
        ("member-added", event(MemberAdded { user: user(2), role: Role::Admin })),
        ("member-removed", event(MemberRemoved { user: user(2) })),
        ("role-changed", event(RoleChanged { user: user(2), role: Role::Owner })),
        ("renamed", event(Renamed { name: "Kitchen".into() })),
        ("created-group", bare(Created { shape: Shape::Group, name: Some("Kitchen".into()), members })),
        ("created-direct", bare(Created { shape: Shape::Direct, name: None, members: pair })),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// One line an event: its name, its bytes. `UPDATE=1` adds what is new; no run ever changes a line.
fn golden() -> BTreeMap<String, String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples/events.txt");
    let mut text = fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os("UPDATE").is_some() {
        for (name, event) in events() {
            if !text.lines().any(|line| line.split(' ').next() == Some(name)) {
                let _ = writeln!(text, "{name} {}", hex(&encode(&event)));
            }
        }
        fs::write(&path, &text).unwrap();
    }
    text.lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(n, h)| (n.to_owned(), h.to_owned()))
        .collect()
}

#[test]
fn every_kind_of_event_reads_and_writes_its_golden_bytes() {
    let mut golden = golden();
    for (name, event) in events() {
        let bytes =
            golden.remove(name).unwrap_or_else(|| panic!("{name}: no golden bytes (UPDATE=1 adds them)"));
        assert_eq!(decode(&unhex(&bytes)).as_ref(), Ok(&event), "{name}");
        assert_eq!(hex(&encode(&event)), bytes, "{name}");
    }
    assert!(golden.is_empty(), "golden bytes without an event: {:?}", golden.keys());
}

#[test]
fn no_kind_of_event_is_without_golden_bytes() {
    // A new kind does not compile here until it has a number, and fails below until it has a sample.
    let number = |kind: &Kind| match kind {
        Kind::Posted { .. } => 0,
        Kind::Edited { .. } => 1,
        Kind::Deleted { .. } => 2,
        Kind::Reacted { .. } => 3,
        Kind::MemberAdded { .. } => 4,
        Kind::MemberRemoved { .. } => 5,
        Kind::RoleChanged { .. } => 6,
        Kind::Renamed { .. } => 7,
        Kind::Created { .. } => 8,
    };
    let mut seen: Vec<u8> = events().iter().map(|(_, event)| number(&event.kind)).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..=8).collect::<Vec<u8>>());
}

#[test]
fn an_event_begins_with_its_version() {
    for (name, event) in events() {
        assert_eq!(encode(&event).first(), Some(&1), "{name}");
    }
}

#[test]
fn what_is_not_an_event_is_refused_with_the_reason() {
    let whole = encode(&events().remove(0).1);
    assert_eq!(decode(&[]), Err(CodecError::Empty));
    for version in [0, 2, 255] {
        let mut other = whole.clone();
        other[0] = version;
        assert_eq!(decode(&other), Err(CodecError::Version(version)));
    }
    let mut longer = whole.clone();
    longer.extend([0, 0, 0]);
    assert_eq!(decode(&longer), Err(CodecError::Trailing(3)));
}

#[test]
fn a_truncated_event_is_refused_at_every_length() {
    for (name, event) in events() {
        let whole = encode(&event);
        for length in 1..whole.len() {
            let cut = decode(&whole[..length]);
            assert!(matches!(cut, Err(CodecError::Postcard(_))), "{name} cut to {length}: {cut:?}");
        }
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..512), versioned in any::<bool>()) {
        if versioned && !bytes.is_empty() {
            bytes[0] = 1;
        }
        if let Ok(event) = decode(&bytes) {
            // What does decode can be looked at and written again.
            let _ = (format!("{event:?}"), event.at.to_string());
            prop_assert_eq!(decode(&encode(&event)), Ok(event));
        }
    }

    #[test]
    fn a_damaged_event_never_panics(index in 0..14_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&events().remove(index).1);
        let position = at.index(bytes.len());
        bytes[position] = byte;
        let _ = decode(&bytes).map(|event| (format!("{event:?}"), event.at.to_string()));
    }

    #[test]
    fn any_text_survives_the_bus(text in ".*", client_id in proptest::option::of(".*"), at in any::<i64>()) {
        let mut event = event(Kind::Posted { body: plain(&text), reply_to: None });
        event.client_id = client_id;
        event.at = Timestamp(at);
        prop_assert_eq!(decode(&encode(&event)), Ok(event));
    }
}
