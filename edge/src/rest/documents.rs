//! The contract as documents that programs read. They are generated from the code, committed, and served as committed.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use natter_schemas::code::Code;

use crate::{api_error::ApiError, web::is_known};

const OPENAPI: &str = include_str!("../../../docs/openapi.json");
const ASYNCAPI: &str = include_str!("../../../docs/asyncapi.json");

/// OpenAPI 3.1 of everything in `docs/protocol.md`, section 1.
pub async fn openapi(headers: HeaderMap) -> Result<Response, ApiError> {
    answer(OPENAPI, &headers)
}

/// AsyncAPI 3.0 of sections 2 and 4: the socket and the Kafka topic.
pub async fn asyncapi(headers: HeaderMap) -> Result<Response, ApiError> {
    answer(ASYNCAPI, &headers)
}

/// A document changes with the program alone, so whoever has it is answered 304 and sent nothing.
fn answer(document: &'static str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let hash = blake3::hash(document.as_bytes()).to_hex();
    let etag = format!("\"{}\"", &hash[..32]);
    let etag = HeaderValue::from_str(&etag).map_err(|_| ApiError::from(Code::Internal))?;
    let known = is_known(headers, &etag);
    let caching = [(header::ETAG, etag), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((caching, json, document).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_known_is_not_sent_again() {
        let mut headers = HeaderMap::new();
        let first = answer("{}", &headers).expect("an answer");
        assert_eq!(first.status(), StatusCode::OK);
        let etag = first.headers()[header::ETAG].clone();
        for known in [etag.clone(), HeaderValue::from_static("*")] {
            headers.insert(header::IF_NONE_MATCH, known);
            let again = answer("{}", &headers).expect("an answer");
            assert_eq!(
                (again.status(), again.headers().get(header::ETAG)),
                (StatusCode::NOT_MODIFIED, Some(&etag))
            );
        }
        let changed = answer("{\"a\":1}", &headers.clone()).expect("an answer");
        assert_eq!(changed.status(), StatusCode::NOT_MODIFIED, "`*` is any");
        headers.insert(header::IF_NONE_MATCH, etag);
        assert_eq!(answer("{\"a\":1}", &headers).expect("an answer").status(), StatusCode::OK);
    }
}
