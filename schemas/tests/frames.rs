//! Every frame as it travels: samples are committed, `UPDATE=1` writes them again (and shows in the diff).

#![allow(clippy::unwrap_used, clippy::unnecessary_wraps, clippy::needless_for_each)]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use natter_schemas::{
    code::Code,
    event::{Role, Shape, Timestamp},
    frame::{
        CLIENT_TYPES, ClientFrame, Envelope, EventPosition, LimitsView, MemberChange, Positions, RequestId,
        Resume, ServerFrame, Status,
    },
    id::{ConversationId, EventId, SessionId, UserId},
    limits,
    rest::{ConversationView, MessageView, ParticipantView, ReactionView},
    trace_context::TraceContext,
};
use serde_json::Value;

fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

fn room() -> ConversationId {
    ConversationId::from_bytes([0xc0; 16])
}

fn id(n: i64) -> Option<RequestId> {
    Some(RequestId::Number(n))
}

fn word(text: &str) -> Option<RequestId> {
    Some(RequestId::Text(text.into()))
}

const AT: Timestamp = Timestamp(1_795_219_200_007);

fn position() -> EventPosition {
    EventPosition { conversation_id: room(), seq: 12, prev_seq: 9 }
}

fn message() -> MessageView {
    MessageView {
        id: EventId::from_bytes([0xe1; 16]),
        conversation_id: room(),
        seq: 12,
        sender_id: user(1),
        client_id: Some("c-1".into()),
        content: Some("Grüße \"👋\"\n".into()),
        reply_to: Some(3),
        created_at: AT,
        edited_at: Some(AT),
        deleted_at: None,
        reactions: vec![ReactionView {
            emoji: "👍".into(),
            count: 2,
            me: true,
            user_ids: vec![user(1), user(2)],
        }],
        unreadable: false,
    }
}

fn deleted_message() -> MessageView {
    let none = MessageView { content: None, client_id: None, reply_to: None, edited_at: None, ..message() };
    MessageView { deleted_at: Some(AT), reactions: vec![], ..none }
}

fn conversation() -> ConversationView {
    ConversationView {
        id: room(),
        shape: Shape::Group,
        name: Some("Kitchen".into()),
        role: Role::Admin,
        created_at: AT,
        head_seq: 12,
        read_seq: 9,
        unread_count: 1,
        last_activity_at: AT,
        last_message: Some(message()),
        participant_count: 1,
        participants: Some(vec![ParticipantView {
            user_id: user(1),
            username: "alice".into(),
            display_name: "Alice".into(),
            role: Role::Owner,
            joined_at: AT,
            read_seq: 12,
            erased: false,
        }]),
    }
}

fn direct() -> ConversationView {
    ConversationView {
        shape: Shape::Direct,
        name: None,
        role: Role::Member,
        last_message: Some(deleted_message()),
        participants: None,
        ..conversation()
    }
}

fn empty_ack(id: Option<RequestId>) -> ServerFrame {
    ServerFrame::Ack {
        id,
        conversation_id: None,
        message_id: None,
        client_id: None,
        seq: None,
        created_at: None,
        duplicate: None,
        client_id_prefix: None,
    }
}

fn answers() -> Vec<ServerFrame> {
    use ServerFrame::{Ack, Error, Goodbye, Heads, Joined, Pong, ReadAck, ResumeDone, ResumeGap, Welcome};
    vec![
        Welcome {
            user_id: user(1),
            session_id: SessionId::from_bytes([5; 16]),
            device_id: "laptop".into(),
            epoch: "e1".into(),
            client_id_prefix: Some("9XkQ2mVb7TzL1.".into()),
            heartbeat_ms: 25_000,
            server_time: AT,
            limits: LimitsView {
                content_bytes: limits::CONTENT,
                frame_bytes: limits::FRAME,
                resume_positions: limits::RESUME_POSITIONS,
                resume_events: limits::RESUME_EVENTS,
                pending_requests: limits::SOCKET_PENDING,
            },
        },
        Ack {
            id: id(7),
            conversation_id: Some(room()),
            message_id: Some(EventId::from_bytes([0xe1; 16])),
            client_id: Some("c-1".into()),
            seq: Some(12),
            created_at: Some(AT),
            duplicate: Some(false),
            client_id_prefix: Some("9XkQ2mVb7TzM0.".into()),
        },
        empty_ack(word("renewal")),
        Joined { id: id(8), conversation_id: room(), head_seq: 12, read_seq: 9, online: vec![user(1)] },
        ReadAck { id: id(9), conversation_id: room(), seq: 12, unread_count: 0 },
        ReadAck { id: None, conversation_id: room(), seq: 12, unread_count: 100 },
        ResumeGap { conversation_id: room(), head_seq: 12 },
        ResumeDone { id: None },
        ResumeDone { id: id(10) },
        Pong { id: id(9), server_time: AT },
        Pong { id: None, server_time: AT },
        Error { id: id(11), code: Code::NotFound, message: "Not found".into(), retry_after_ms: None },
        Error { id: None, code: Code::RateLimited, message: "Wait".into(), retry_after_ms: Some(250) },
        Heads { positions: Positions::from([(room(), 12)]) },
        Goodbye { reason: Code::Restarting, retry_after_ms: 1_500 },
    ]
}

fn events() -> Vec<ServerFrame> {
    use ServerFrame::{
        ConversationAdded, ConversationRemoved, ConversationUpdated, MemberChanged, MessageDeleted,
        MessageEdited, MessageNew, Presence, ReactionChanged, ReadReceipt, Typing,
    };
    let (position, at, user_id, by) = (position(), AT, user(1), user(2));
    let changed = |change, role| MemberChanged { position, change, user_id, role, by, at };
    vec![
        MessageNew { position, message: message() },
        MessageNew { position, message: deleted_message() },
        MessageEdited { position, target: 9, content: Some("better".into()), at, user_id },
        MessageDeleted { position, target: 9, at, user_id },
        ReactionChanged { position, target: 9, emoji: "👍".into(), on: true, at, user_id },
        changed(MemberChange::Added, Some(Role::Member)),
        changed(MemberChange::Removed, None),
        changed(MemberChange::RoleChanged, Some(Role::Admin)),
        ConversationUpdated { position, name: Some("Kitchen".into()), by, at },
        ConversationAdded { conversation: Box::new(conversation()) },
        ConversationAdded { conversation: Box::new(direct()) },
        ConversationRemoved { conversation_id: room() },
        ReadReceipt { conversation_id: room(), user_id, seq: 12, read_at: AT, version: None },
        ReadReceipt { conversation_id: room(), user_id, seq: 3, read_at: AT, version: Some(1) },
        Typing { conversation_id: room(), user_id, is_typing: true },
        Presence { user_id, status: Status::Online, last_seen_at: None, version: 3 },
        Presence { user_id, status: Status::Offline, last_seen_at: Some(AT), version: 4 },
    ]
}

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn requests() -> Vec<ClientFrame> {
    use ClientFrame::{Delete, Edit, Hello, Join, Leave, Ping, React, Read, Send, Token, Typing};
    let (conversation_id, positions) = (room(), Positions::from([(room(), 9)]));
    let traceparent = TraceContext::parse(TRACEPARENT);
    let resume = Some(Resume { epoch: "e1".into(), positions: positions.clone() });
    vec![
        Hello { id: id(0), token: "t".into(), device_id: Some("laptop".into()), resume },
        Hello { id: None, token: "t".into(), device_id: None, resume: None },
        Send {
            id: id(1),
            conversation_id,
            content: "hi 👋".into(),
            client_id: "c-1".into(),
            reply_to: Some(9),
            retry: true,
            traceparent,
        },
        Edit { id: id(2), conversation_id, seq: 9, content: "better".into(), traceparent },
        Delete { id: id(3), conversation_id, seq: 9, traceparent },
        React { id: id(4), conversation_id, seq: 9, emoji: "👍".into(), on: false, traceparent },
        Join { id: word("j"), conversation_id },
        Leave { id: id(8), conversation_id },
        Leave { id: None, conversation_id },
        Typing { id: id(8), conversation_id, is_typing: true },
        Read { id: id(5), conversation_id, seq: 12, unread: false },
        Read { id: id(6), conversation_id, seq: 3, unread: true },
        ClientFrame::Resume { id: id(6), positions },
        Ping { id: id(9) },
        Ping { id: None },
        Token { id: id(7), token: "t2".into() },
    ]
}

fn server() -> Vec<ServerFrame> {
    [answers(), events()].concat()
}

/// Compares with the committed lines of `samples/<name>`, one frame a line.
fn committed(name: &str, lines: &[String]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name);
    let text = lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    });
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let held = fs::read_to_string(&path).unwrap_or_default();
    for (held, now) in held.lines().zip(text.lines()) {
        assert_eq!(held, now, "{name}");
    }
    assert_eq!(held.lines().count(), lines.len(), "{name}: UPDATE=1 writes what is missing");
}

#[test]
fn server_frames_are_the_committed_samples_and_read_back() {
    let lines: Vec<String> = server().iter().map(ServerFrame::to_json).collect();
    committed("server_frames.jsonl", &lines);
    for (frame, line) in server().iter().zip(&lines) {
        assert_eq!(serde_json::from_str::<ServerFrame>(line).as_ref().ok(), Some(frame), "{line}");
    }
}

#[test]
fn client_frames_are_the_committed_samples_and_read_back() {
    let lines: Vec<String> = requests().iter().map(|frame| serde_json::to_string(frame).unwrap()).collect();
    committed("client_frames.jsonl", &lines);
    for (frame, line) in requests().iter().zip(&lines) {
        assert_eq!(serde_json::from_str::<ClientFrame>(line).as_ref().ok(), Some(frame), "{line}");
    }
}

#[test]
fn the_type_comes_first_in_every_frame() {
    for frame in server() {
        let json = frame.to_json();
        assert!(json.starts_with("{\"type\":\""), "{json}");
    }
}

#[test]
fn every_type_a_client_may_send_has_a_sample() {
    let mut sent: Vec<String> = requests()
        .iter()
        .map(|frame| serde_json::to_value(frame).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    sent.dedup();
    assert_eq!(sent, CLIENT_TYPES);
}

#[test]
fn every_field_is_camel_case() {
    fn keys(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                into.push(key.clone());
                keys(value, into);
            }),
            Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    server().iter().for_each(|frame| keys(&serde_json::to_value(frame).unwrap(), &mut all));
    requests().iter().for_each(|frame| keys(&serde_json::to_value(frame).unwrap(), &mut all));
    for key in all {
        assert!(!key.contains('_'), "{key}");
    }
}

#[test]
fn unknown_fields_and_their_order_do_not_matter() {
    for frame in requests() {
        let Value::Object(fields) = serde_json::to_value(&frame).unwrap() else { panic!("not an object") };
        let mut reversed: Vec<_> = fields.into_iter().collect::<BTreeMap<_, _>>().into_iter().rev().collect();
        reversed.push(("later".into(), serde_json::json!({"deep": [1, null]})));
        let text = reversed.iter().map(|(k, v)| format!("{k:?}:{v}")).collect::<Vec<_>>().join(",");
        assert_eq!(serde_json::from_str::<ClientFrame>(&format!("{{{text}}}")).unwrap(), frame);
    }
}

#[test]
fn a_missing_field_is_named() {
    for (bad, field) in [
        (r#"{"type":"send","id":1,"conversationId":"ROOM","clientId":"c"}"#, "content"),
        (r#"{"type":"send","id":1,"conversationId":"ROOM","content":"x"}"#, "clientId"),
        (r#"{"type":"send","id":1,"content":"x","clientId":"c"}"#, "conversationId"),
        (r#"{"type":"hello"}"#, "token"),
        (r#"{"type":"hello","token":"t","resume":{"epoch":"e"}}"#, "positions"),
        (r#"{"type":"read","conversationId":"ROOM"}"#, "seq"),
        (r#"{"type":"react","conversationId":"ROOM","seq":1,"emoji":"x"}"#, "on"),
    ] {
        let error =
            serde_json::from_str::<ClientFrame>(&bad.replace("ROOM", &room().to_string())).unwrap_err();
        assert!(error.to_string().contains(&format!("`{field}`")), "{bad}: {error}");
    }
}

#[test]
fn what_is_wrong_is_refused() {
    for bad in [
        r#"{"type":"nonsense"}"#,
        r#"{"id":1}"#,
        r#"{"type":"ping","id":1.5}"#,
        r#"{"type":"ping","id":{}}"#,
        r#"{"type":"ping","id":9223372036854775808}"#,
        r#"{"type":"read","conversationId":"*","seq":1}"#,
        r#"{"type":"read","conversationId":"C0C0C0C0-C0C0-C0C0-C0C0-C0C0C0C0C0C0","seq":1}"#,
        r#"{"type":"resume","positions":{"not-an-id":1}}"#,
        r#"{"type":"resume","positions":{"c0c0c0c0-c0c0-c0c0-c0c0-c0c0c0c0c0c0":-1}}"#,
        r#"{"type":"ping""#,
        "[]",
        "null",
        "",
    ] {
        assert!(serde_json::from_str::<ClientFrame>(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_id_of_a_bad_frame_is_read_all_the_same() {
    let envelope: Envelope = serde_json::from_str(r#"{"type":"send","id":"a-1","content":7}"#).unwrap();
    assert_eq!((envelope.kind.as_deref(), envelope.id), (Some("send"), word("a-1")));
    let empty: Envelope = serde_json::from_str("{}").unwrap();
    assert!(empty.kind.is_none() && empty.id.is_none());
}

#[test]
fn a_request_id_is_given_back_as_it_came() {
    for (json, valid) in [("7", true), ("-7", true), (r#""7""#, true), (r#""""#, false), (r#""a b""#, false)]
    {
        let id: RequestId = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), json);
        assert_eq!(id.is_valid(), valid, "{json}");
    }
    assert!(!RequestId::Text("x".repeat(limits::CLIENT_ID + 1)).is_valid());
}

#[test]
fn times_are_utc_with_milliseconds() {
    for (millis, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_219_200_007, "2026-11-21T00:00:00.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(Timestamp(millis).to_string(), text);
        assert_eq!(serde_json::from_str::<Timestamp>(&format!("{text:?}")).unwrap(), Timestamp(millis));
    }
    assert_eq!(serde_json::from_str::<Timestamp>(r#""1970-01-01T01:00:00+01:00""#).unwrap(), Timestamp(0));
}
