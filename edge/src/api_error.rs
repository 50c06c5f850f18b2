//! How a failure is reported to a client: one type for HTTP and sockets, made from the one table.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use natter_nats::publisher::PublishError;
use natter_runtime::rates::{Class, Rule};
use natter_schemas::{
    code::Code,
    frame::{RequestId, ServerFrame},
    id::BadId,
    rest::{FieldError, Problem},
    rpc::RpcError,
};

/// When clients should retry if nothing better is known: longer than a leader change usually takes.
const RETRY_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct ApiError {
    pub code: Code,
    pub detail: Cow<'static, str>,
    pub errors: Vec<FieldError>,
    pub retry_after: Option<Duration>,
    /// The rule that was hit, for the `RateLimit` headers.
    pub limit: Option<(Class, Rule)>,
}

impl ApiError {
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after = (code == Code::Unavailable).then_some(RETRY_AFTER);
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after, limit: None }
    }

    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { field: field.into(), message: message.into() }])
    }

    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail =
            errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect::<Vec<_>>().join("; ");
        Self { errors, ..Self::new(Code::Invalid, detail) }
    }

    pub fn limited(class: Class, rule: Rule, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            limit: Some((class, rule)),
            ..Self::new(Code::RateLimited, format!("more than the '{}' limit allows", class.name()))
        }
    }

    /// The violations of a garde report, with fields spelled as in JSON.
    pub fn report(report: &garde::Report) -> Self {
        let errors = report.iter().map(|(path, error)| FieldError {
            field: camel_case(&path.to_string()),
            message: error.to_string(),
        });
        Self::fields(errors.collect())
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// HTTP's form. The code is a member of its own and, for those who expect it there, in `type` (RFC 9457 §3).
    pub fn problem(&self, request_id: &str) -> Problem {
        let row = self.code.row();
        Problem {
            kind: format!("urn:natter:problem:{}", row.name),
            title: row.title.to_owned(),
            status: row.status,
            detail: self.detail.clone().into_owned(),
            code: self.code,
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        }
    }

    /// The socket's form.
    pub fn frame(&self, id: Option<RequestId>) -> ServerFrame {
        ServerFrame::Error {
            id,
            code: self.code,
            message: self.detail.clone().into_owned(),
            retry_after_ms: self.retry_after.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// With the code's title as its detail.
impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self::new(code, code.row().title)
    }
}

impl From<RpcError> for ApiError {
    fn from(error: RpcError) -> Self {
        match error.field {
            Some(field) => Self::invalid(field, "is not valid"),
            None => Self { retry_after: retry_after(error.code), ..Self::from(error.code) },
        }
    }
}

fn retry_after(code: Code) -> Option<Duration> {
    matches!(code, Code::Unavailable | Code::RateLimited).then_some(RETRY_AFTER)
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::TimedOut => Self::new(
                Code::Unavailable,
                "the log did not answer in time; it is not known whether the event was stored: send it again \
                 with the same clientId",
            ),
            PublishError::Full => Self::new(Code::Unavailable, "the log is full"),
            PublishError::NotWritten => Self::new(
                Code::Unavailable,
                "the log cannot write: the disks of its servers are full or failing; send it again later with the same \
                 clientId",
            ),
            PublishError::RolledBack => Self::new(
                Code::Unavailable,
                "the log has lost events that it had stored, and takes no more until it has been restored; send it again \
                 later with the same clientId",
            ),
            PublishError::Moved => Self::from(Code::Conflict),
            PublishError::Rejected(_) => Self::from(Code::Internal),
        }
    }
}

/// The problem document is written by the outermost layer, which knows the request id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Why JSON does not fit, without what the client sent: answers end up in logs of clients and proxies, and a value in the
/// wrong place may be a password.
pub fn misfit(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    match message.rsplit_once(", expected ") {
        // The name of the field is the contract's.
        _ if message.starts_with("missing field `") => message.to_owned(),
        Some((_, expected)) => format!("must be {expected}"),
        None if message == BadId.to_string() => message.to_owned(),
        None => "is not valid".to_owned(),
    }
}

fn camel_case(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut text, word| {
        let mut letters = word.chars();
        text.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        text.push_str(letters.as_str());
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named_without_its_value() {
        use natter_schemas::rest::Login;
        for body in [
            r#""s3cret""#,
            r#"["s3cret"]"#,
            r#"{"login": {"password": "s3cret"}}"#,
            r#"{"login": "alice", "password": ["s3cret"]}"#,
            r#"{"login": "alice", "password": {"a": "s3cret, expected b at line 1"}}"#,
            r#""s3cret, expected b at line 1""#,
        ] {
            let error = serde_json::from_str::<Login>(body).expect_err(body);
            let text = misfit(&error);
            assert!(!text.contains("s3cret"), "{body}: {text}");
        }
        let missing = serde_json::from_str::<Login>("{}").expect_err("two fields are missing");
        assert_eq!(misfit(&missing), "missing field `login`");
        let number = serde_json::from_str::<Login>(r#"{"login": 7}"#).expect_err("a number");
        assert_eq!(misfit(&number), "must be a string");
    }

    #[test]
    fn fields_are_spelled_as_in_json() {
        assert_eq!(camel_case("participant_ids[3]"), "participantIds[3]");
        assert_eq!(camel_case("content"), "content");
    }
}
