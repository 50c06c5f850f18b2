//! HTTP/1.1 as the load speaks it: requests with a body of known length over connections that stay open.

use std::fmt::Write as _;

/// One request, before it knows who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: &'static str,
    pub path: String,
    /// Further header lines, each with its line end.
    pub headers: String,
    pub body: String,
}

impl HttpRequest {
    pub fn get(path: String) -> Self {
        Self { method: "GET", path, headers: String::new(), body: String::new() }
    }

    pub fn post(path: &str, body: String) -> Self {
        Self { method: "POST", path: path.to_owned(), headers: String::new(), body }
    }

    pub fn bytes(&self, host: &str, token: Option<&str>) -> Vec<u8> {
        let Self { method, path, headers, body } = self;
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}");
        if let Some(token) = token {
            let _ = write!(text, "authorization: Bearer {token}\r\n");
        }
        if *method != "GET" {
            let _ = write!(text, "content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        text.push_str("\r\n");
        text.push_str(body);
        text.into_bytes()
    }
}

/// The request that turns a connection into a WebSocket. The key is fixed: whether the server answers it with
/// the right hash is the server's tests' matter.
pub fn upgrade(host: &str, path: &str, subprotocol: Option<&str>) -> Vec<u8> {
    let mut text = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    if let Some(subprotocol) = subprotocol {
        let _ = write!(text, "sec-websocket-protocol: {subprotocol}\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: std::ops::Range<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct NotHttp;

/// The first answer in these bytes; `None` until it is there as a whole. Answers without a length have no body
/// (101, 204).
pub fn answer(bytes: &[u8]) -> Result<Option<Answer>, NotHttp> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let start = match response.parse(bytes) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(NotHttp),
    };
    let status = response.code.ok_or(NotHttp)?;
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: usize = match length {
        Some(header) => std::str::from_utf8(header.value).ok().and_then(|v| v.parse().ok()).ok_or(NotHttp)?,
        None => 0,
    };
    let end = start + length;
    Ok((bytes.len() >= end).then_some(Answer { status, body: start..end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_has_its_length_and_its_bearer_token() {
        let bytes = HttpRequest::post("/api/messages", "{}".to_owned()).bytes("127.0.0.1:1", Some("t"));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("POST /api/messages HTTP/1.1\r\nhost: 127.0.0.1:1\r\n"), "{text}");
        assert!(text.contains("authorization: Bearer t\r\n") && text.contains("content-length: 2\r\n"));
        assert!(text.ends_with("\r\n\r\n{}"));
    }

    #[test]
    fn an_answer_is_waited_for_until_its_body_is_whole() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello, and more";
        let whole = bytes.len() - ", and more".len();
        assert!((0..whole).all(|length| answer(&bytes[..length]) == Ok(None)));
        let found = answer(bytes).unwrap().unwrap();
        assert_eq!((found.status, &bytes[found.body]), (201, b"hello".as_slice()));
    }

    #[test]
    fn an_upgrade_has_no_body() {
        let bytes = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n\x81\x00";
        let found = answer(bytes).unwrap().unwrap();
        assert_eq!(
            (found.status, found.body.len(), &bytes[found.body.end..]),
            (101, 0, b"\x81\x00".as_slice())
        );
    }

    #[test]
    fn bytes_that_are_no_http_response_are_an_error() {
        assert_eq!(answer(b"\x81\x00\x00\x00hello"), Err(NotHttp));
    }
}
