//! What a user is given of what is kept: its published schema.
#![allow(clippy::unwrap_used)]

use std::{env, fs, path::PathBuf};

use natter_schemas::{
    event::{Role, Shape, Timestamp},
    export::ExportLine,
    id::{ConversationId, EventId, SessionId, UserId},
};
use serde_json::{Value, json};

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/export.schema.json")
}

fn schema() -> Value {
    let mut schema = schemars::schema_for!(ExportLine);
    schema.insert("$comment".to_owned(), json!("Printed by schemas/tests/export.rs."));
    schema.to_value()
}

/// One of each type.
fn lines() -> Vec<ExportLine> {
    let (at, user_id) = (Timestamp(1_764_000_000_123), UserId::from_bytes([1; 16]));
    let (conversation_id, seq) = (ConversationId::from_bytes([2; 16]), 7);
    let (username, email, display_name) =
        ("alice".to_owned(), "alice@example.org".to_owned(), "Alice".to_owned());
    let message = |content: Option<&str>| ExportLine::Message {
        conversation_id,
        seq,
        id: EventId::from_bytes([3; 16]),
        at,
        content: content.map(str::to_owned),
        reply_to: Some(3),
        device_id: String::new(),
    };
    vec![
        ExportLine::Export { version: 1, user_id, exported_at: at },
        ExportLine::Profile { username, email, display_name, created_at: at },
        ExportLine::Session { id: SessionId::from_bytes([4; 16]), created_at: None },
        ExportLine::Block { user_id },
        ExportLine::Conversation {
            id: conversation_id,
            shape: Some(Shape::Group),
            name: Some("Kitchen".to_owned()),
            role: Some(Role::Owner),
            read_seq: 9,
        },
        message(Some("hi")),
        message(None),
        ExportLine::Edit { conversation_id, seq, target: 3, at, content: None },
        ExportLine::Deletion { conversation_id, seq, target: 3, at },
        ExportLine::Reaction { conversation_id, seq, target: 3, emoji: "👍".to_owned(), on: true, at },
        ExportLine::Act { conversation_id, seq, act: "renamed", user_id: None, name: None, at },
        ExportLine::Unreadable { conversation_id, seqs: vec![4, 5] },
        ExportLine::End { lines: 11 },
    ]
}

#[test]
fn the_published_schema_is_that_of_the_lines() {
    let printed = format!("{:#}\n", schema());
    if env::var_os("UPDATE").is_some() {
        fs::write(file(), &printed).unwrap();
    }
    assert_eq!(fs::read_to_string(file()).unwrap(), printed, "UPDATE=1 writes it");
}

#[test]
fn every_type_of_line_follows_the_published_schema() {
    let schema: Value = serde_json::from_str(&fs::read_to_string(file()).unwrap()).unwrap();
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let validator = options.build(&schema).unwrap();
    for line in lines() {
        let line = serde_json::to_value(line).unwrap();
        assert!(validator.is_valid(&line), "{line}");
        let mut unknown = line.clone();
        unknown["type"] = json!("else");
        assert!(!validator.is_valid(&unknown), "{unknown}");
    }
}
