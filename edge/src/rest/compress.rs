//! Pages of messages are sent compressed to clients that accept it: 50 messages are a tenth of their size then.
//!
//! No other answer is compressed. Its length would show whether two of its parts are alike (BREACH), so a compressed
//! answer must not have a secret of one person beside text that another one chose. A page of messages is of one
//! conversation, whose members may all read it. Lists are of several; answers with tokens are never compressed.

use axum::{
    Json,
    http::{Extensions, HeaderMap, StatusCode, Version},
    response::{Extension, IntoResponse, Response},
};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate,
        predicate::{And, SizeAbove},
    },
};

/// Below this the whole answer is one packet in any form.
const WORTH_IT: u64 = 1_024;

/// An answer that may be compressed.
pub struct OfOneConversation<T>(pub T);

#[derive(Clone, Copy)]
struct Compressible;

impl<T> IntoResponse for OfOneConversation<T>
where
    Json<T>: IntoResponse,
{
    fn into_response(self) -> Response {
        (Extension(Compressible), Json(self.0)).into_response()
    }
}

pub type Rule = And<SizeAbove, fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool>;

/// The fastest level: its cost for a page is less than that of making its JSON, and it is bounded by that of the largest
/// page. It compresses as the client takes the answer, a few KiB at a time.
pub fn layer() -> CompressionLayer<Rule> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(WORTH_IT).and(marked as _))
}

fn marked(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<Compressible>().is_some()
}
