//! Text becomes a frame, or an error that names the request it answers.

use garde::Validate;
use natter_schemas::{
    code::Code,
    frame::{CLIENT_TYPES, ClientFrame, Envelope, RequestId},
    limits::{self, Limits},
};

use crate::api_error::{ApiError, misfit};

/// Why a frame was rejected, and the request id it carried, if that much could be read.
#[derive(Debug)]
pub struct DecodeError {
    pub id: Option<RequestId>,
    pub error: ApiError,
}

pub fn decode(text: &str, limits: &Limits) -> Result<ClientFrame, DecodeError> {
    // serde takes an array for a struct, field by field.
    if text.trim_start().starts_with('[') {
        return Err(not_an_object());
    }
    let frame: ClientFrame = serde_json::from_str(text).map_err(|error| explain(text, &error))?;
    check_id(&frame)?;
    check_positions(&frame, limits)?;
    match frame.validate_with(limits) {
        Ok(()) => Ok(frame),
        Err(report) => Err(DecodeError { id: frame.id().cloned(), error: ApiError::report(&report) }),
    }
}

/// Parses a second time, for a better answer; only rejected frames pay for it.
fn explain(text: &str, error: &serde_json::Error) -> DecodeError {
    let malformed = |id, detail: String| DecodeError { id, error: ApiError::new(Code::Malformed, detail) };
    let Ok(envelope) = serde_json::from_str::<Envelope>(text) else {
        return not_an_object();
    };
    let id = envelope.id.filter(RequestId::is_valid);
    match envelope.kind {
        None => malformed(id, "'type' is missing".to_owned()),
        Some(kind) if !CLIENT_TYPES.contains(&kind.as_str()) => {
            malformed(id, format!("unknown 'type'; known: {}", CLIENT_TYPES.join(", ")))
        }
        Some(_) => DecodeError { id, error: ApiError::new(Code::Invalid, misfit(error)) },
    }
}

fn not_an_object() -> DecodeError {
    DecodeError {
        id: None,
        error: ApiError::new(Code::Malformed, "a frame is one JSON object with a 'type'"),
    }
}

fn check_id(frame: &ClientFrame) -> Result<(), DecodeError> {
    match frame.id() {
        Some(id) if !id.is_valid() => {
            let rule = format!("must be a number or 1 to {} visible ASCII characters", limits::CLIENT_ID);
            Err(DecodeError { id: None, error: ApiError::invalid("id", rule) })
        }
        _ => Ok(()),
    }
}

fn check_positions(frame: &ClientFrame, limits: &Limits) -> Result<(), DecodeError> {
    let count = match frame {
        ClientFrame::Resume { positions, .. } => positions.len(),
        ClientFrame::Hello { resume: Some(resume), .. } => resume.positions.len(),
        _ => return Ok(()),
    };
    let most = limits.resume_positions();
    if count <= most {
        return Ok(());
    }
    let rule = format!("must have at most {most} entries");
    Err(DecodeError { id: frame.id().cloned(), error: ApiError::invalid("positions", rule) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVERSATION: &str = "0190b5a0-7a5e-7abc-8def-0123456789ab";

    fn rejected(text: &str) -> (Option<RequestId>, Code, String) {
        let rejected = decode(text, &Limits::default()).expect_err(text);
        (rejected.id, rejected.error.code, rejected.error.detail.into_owned())
    }

    #[test]
    fn garbage_is_malformed_and_wrong_fields_are_invalid() {
        let send =
            |rest: &str| format!(r#"{{"type":"send","id":"7","conversationId":"{CONVERSATION}"{rest}}}"#);
        for (text, code) in [
            (String::new(), Code::Malformed),
            ("[]".to_owned(), Code::Malformed),
            (r#"["ping",1]"#.to_owned(), Code::Malformed),
            (r#"{"type":"hello","token":"t","resume":["e",{}]}"#.to_owned(), Code::Invalid),
            ("{".to_owned(), Code::Malformed),
            ("null".to_owned(), Code::Malformed),
            ("{}".to_owned(), Code::Malformed),
            (r#"{"type":"shout"}"#.to_owned(), Code::Malformed),
            (r#"{"type":7}"#.to_owned(), Code::Malformed),
            ("[".repeat(60_000), Code::Malformed),
            (send(""), Code::Invalid),
            (send(r#","content":7,"clientId":"c""#), Code::Invalid),
            (send(r#","content":"  ","clientId":"c""#), Code::Invalid),
            (send(r#","content":"x","clientId":"""#), Code::Invalid),
            (send(r#","content":"x","clientId":"a b""#), Code::Invalid),
            (send(r#","content":"x","clientId":"c","replyTo":-1"#), Code::Invalid),
            (r#"{"type":"read","conversationId":"*","seq":1}"#.to_owned(), Code::Invalid),
            (format!(r#"{{"type":"ping","id":"{}"}}"#, "x".repeat(65)), Code::Invalid),
        ] {
            assert_eq!(rejected(&text).1, code, "{text:.80}");
        }
    }

    #[test]
    fn an_error_names_the_request_and_the_field() {
        let (id, _, detail) = rejected(r#"{"type":"send","id":"7","content":"x","clientId":"c"}"#);
        assert_eq!(id, Some(RequestId::Text("7".to_owned())));
        assert!(detail.contains("conversationId"), "{detail}");
        let (id, _, detail) = rejected(&format!(
            r#"{{"type":"edit","id":7,"conversationId":"{CONVERSATION}","seq":1,"content":" "}}"#
        ));
        assert_eq!(id, Some(RequestId::Number(7)));
        assert!(detail.contains("content"), "{detail}");
    }

    #[test]
    fn unknown_fields_are_ignored() {
        assert!(decode(r#"{"type":"ping","id":1,"mood":"good"}"#, &Limits::default()).is_ok());
    }
}

#[cfg(test)]
mod fuzz {
    use natter_fuzz::{fuzz, kind_of};

    use super::*;

    #[test]
    fn every_text_is_a_frame_or_is_refused_briefly() {
        fuzz("frames", &[], |bytes| {
            let text = String::from_utf8_lossy(bytes);
            match decode(&text, &Limits::default()) {
                Ok(frame) => {
                    assert!(frame.id().is_none_or(RequestId::is_valid), "{text}");
                    "accepted".to_owned()
                }
                Err(DecodeError { id, error }) => {
                    assert!(matches!(error.code, Code::Malformed | Code::Invalid), "{text}: {error:?}");
                    assert!(id.is_none_or(|id| id.is_valid()), "{text}");
                    kind_of(&error.detail)
                }
            }
        });
    }
}
