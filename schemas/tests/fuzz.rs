//! Fuzz targets: nothing that strangers write panics, and what is accepted stays accepted when it is written and read
//! again.
#![allow(clippy::unwrap_used)]

use garde::Validate;
use natter_fuzz::{fuzz, kind_of};
use natter_schemas::{
    code::Code,
    codec, emoji,
    event::Event,
    frame::ClientFrame,
    id::{ConversationId, SessionId, UserId},
    limits::{self, Limits},
    name, rest, rpc, text,
};
use serde::{Serialize, de::DeserializeOwned};

/// Lines of a file of `tests/samples`.
fn lines(samples: &str) -> Vec<Vec<u8>> {
    samples.lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// JSON that is valid is valid again when it is written and read.
fn body<T>(bytes: &[u8]) -> String
where
    T: DeserializeOwned + Serialize + Validate<Context = Limits>,
{
    let limits = Limits::default();
    let value = match serde_json::from_slice::<T>(bytes) {
        Ok(value) => value,
        Err(error) => return kind_of(&error.to_string()),
    };
    let report = value.validate_with(&limits).map_err(|report| report.to_string());
    let valid = report.is_ok();
    let written = serde_json::to_value(&value).unwrap();
    let again: T = serde_json::from_str(&written.to_string()).expect("what was written is read");
    assert_eq!(again.validate_with(&limits).is_ok(), valid);
    assert_eq!(serde_json::to_value(&again).unwrap(), written);
    report.map_or_else(|report| kind_of(&report), |()| "valid".to_owned())
}

/// Bytes that are a call or an answer are the same one when they are written and read.
fn call<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> String {
    let value = match postcard::from_bytes::<T>(bytes) {
        Ok(value) => value,
        Err(error) => return kind_of(&error.to_string()),
    };
    let written = postcard::to_allocvec(&value).unwrap();
    let again: T = postcard::from_bytes(&written).expect("what was written is read");
    assert_eq!(postcard::to_allocvec(&again).unwrap(), written);
    // Longer lists are news.
    (written.len() + 1).ilog2().to_string()
}

#[test]
fn no_text_of_a_client_breaks_the_reading_of_frames() {
    let samples = lines(include_str!("samples/client_frames.jsonl"));
    fuzz("frames", &samples, |bytes| {
        let answer = body::<ClientFrame>(bytes);
        let Ok(frame) = serde_json::from_slice::<ClientFrame>(bytes) else { return answer };
        if let ClientFrame::Send { content, .. } | ClientFrame::Edit { content, .. } = &frame
            && frame.validate_with(&Limits::default()).is_ok()
        {
            assert!(content.len() <= limits::CONTENT && !text::is_blank(content));
        }
        answer
    });
}

#[test]
fn no_bytes_of_a_log_break_the_reading_of_events() {
    let unhex = |hex: &str| -> Vec<u8> {
        let digits: Vec<_> =
            hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    let samples = include_str!("samples/events.txt").lines().map(|line| line.split_once(' ').unwrap().1);
    fuzz("events", &samples.map(unhex).collect::<Vec<_>>(), |bytes| {
        let event = match codec::decode(bytes) {
            Ok(event) => event,
            Err(error) => return kind_of(&error.to_string()),
        };
        let same = |event: &Event| assert_eq!(codec::decode(&codec::encode(event)).as_ref(), Ok(event));
        same(&event);
        let _ = (event.at.to_string(), format!("{event:?}"));
        kind_of(&format!("{:?}", event.kind))
    });
}

#[test]
fn no_body_of_a_request_breaks_its_reading() {
    fuzz("bodies", &[], |bytes| {
        [
            body::<rest::Register>(bytes),
            body::<rest::Login>(bytes),
            body::<rest::RequestPasswordReset>(bytes),
            body::<rest::ResetPassword>(bytes),
            body::<rest::Refresh>(bytes),
            body::<rest::UpdateMe>(bytes),
            body::<rest::ChangePassword>(bytes),
            body::<rest::RequestEmailChange>(bytes),
            body::<rest::ChangeEmail>(bytes),
            body::<rest::EraseMe>(bytes),
            body::<rest::CreateConversation>(bytes),
            body::<rest::RenameConversation>(bytes),
            body::<rest::AddParticipants>(bytes),
            body::<rest::ChangeRole>(bytes),
            body::<rest::PostMessage>(bytes),
            body::<rest::EditMessage>(bytes),
            body::<rest::MarkRead>(bytes),
            body::<rest::PresenceBatch>(bytes),
        ]
    });
}

#[test]
fn a_name_that_is_kept_is_kept_as_it_is() {
    fuzz("names", &[], |bytes| {
        let typed = String::from_utf8_lossy(bytes);
        let limits = Limits::default();
        if let Ok(kept) = rest::check::normalized_name(&typed, &limits) {
            assert_eq!(rest::check::normalized_name(&kept, &limits), Ok(kept.clone()), "of {typed:?}");
            assert_eq!(name::fault(&kept), None);
        }
        let words = text::search_words(&typed);
        assert!(words.len() <= limits::SEARCH_WORDS);
        assert!(words.iter().all(|word| (1..=limits::SEARCH_WORD).contains(&word.chars().count())));
        if let Some(listed) = emoji::canonical(&typed) {
            assert_eq!(emoji::canonical(listed), Some(listed));
            assert!(listed.len() <= limits::EMOJI);
        }
        for id in [
            typed.parse::<UserId>().map(|id| id.to_string()),
            typed.parse::<ConversationId>().map(|id| id.to_string()),
            typed.parse::<SessionId>().map(|id| id.to_string()),
        ]
        .into_iter()
        .flatten()
        {
            assert_eq!(id, typed, "an id has one spelling");
        }
        if rest::check::email(&typed, &()).is_ok() {
            assert!(typed.len() <= limits::EMAIL && typed.contains('@'));
            assert!(!typed.contains(['\r', '\n', ' ']), "it would be two header fields of a mail");
        }
        let name = rest::check::normalized_name(&typed, &limits).map_err(|error| kind_of(&error.to_string()));
        (name.is_ok(), name.err(), rest::check::username(&typed, &limits).is_ok(), words.len())
    });
}

#[test]
fn no_bytes_between_services_break_the_reading_of_calls() {
    fuzz("calls", &[], |bytes| {
        [
            call::<rpc::RegisterUser>(bytes),
            call::<rpc::LogIn>(bytes),
            call::<rpc::FindUsers>(bytes),
            call::<rpc::OpenConversation>(bytes),
            call::<rpc::ListConversations>(bytes),
            call::<rpc::GetPage>(bytes),
            call::<rpc::MarkRead>(bytes),
            call::<rpc::Control>(bytes),
            call::<rpc::ReadMark>(bytes),
            call::<rpc::Typing>(bytes),
            call::<rpc::PresenceChange>(bytes),
            call::<Result<rpc::User, Code>>(bytes),
            call::<rpc::PageReply>(bytes),
            call::<rpc::Replay>(bytes),
            call::<rpc::Inbox>(bytes),
        ]
    });
}
