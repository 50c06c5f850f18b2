//! Whom a request is for (RFC 9112 §3.2): an HTTP/1.1 request names its host exactly once. One that does not is read by
//! two servers in two ways, and the connection is closed after the answer.

use axum::{
    extract::Request,
    http::{HeaderValue, Version, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use natter_schemas::code::Code;

use crate::api_error::ApiError;

pub async fn check(mut request: Request, next: Next) -> Response {
    if !names_one_host(&request) {
        let mut response = ApiError::new(Code::Malformed, "a request has one Host header").into_response();
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    // What a client that takes this for a proxy asks for is not what it writes into the header (§3.2.2).
    let named = request.uri().authority().and_then(|named| HeaderValue::from_str(named.as_str()).ok());
    if let Some(named) = named {
        request.headers_mut().insert(header::HOST, named);
    }
    next.run(request).await
}

fn names_one_host(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.is_empty() || is_host(host.as_bytes()),
        (None, _) => request.version() < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

fn is_host(bytes: &[u8]) -> bool {
    // A list of hosts would be a name by the letter of the RFC, and is what one server makes of two headers.
    Authority::try_from(bytes).is_ok_and(|host| {
        let has_port = host.as_str().len() > host.host().len();
        !host.as_str().contains(['@', ',']) && (!has_port || host.port().is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for host in
            ["chat.example", "natter_edge:3000", "127.0.0.1:1", "[::1]:3000", "xn--mnchen-3ya.example"]
        {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for other in ["a b", "a/b", "user@host", "a,b", "http://a", "a:x", "[::1", "a\tb", "a?b"] {
            assert!(!is_host(other.as_bytes()), "{other}");
        }
    }
}
