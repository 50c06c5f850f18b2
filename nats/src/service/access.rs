//! The answering side's own check of who reads a conversation.

use futures_util::future::{BoxFuture, ready};
use natter_schemas::{
    code::Code,
    rpc::{RpcError, UserRead},
};
use tracing::error;

/// Decides before any handler runs whether users may read the conversations that a call names.
pub trait AccessCheck: Send + Sync + 'static {
    /// `not_found` unless every one of them is a member.
    fn check<'a>(&'a self, call: &'static str, reads: &'a [UserRead]) -> BoxFuture<'a, Result<(), RpcError>>;
}

/// Of a service none of whose calls reads a conversation for a user by itself: one that does is a defect.
pub struct NoReads;

impl AccessCheck for NoReads {
    fn check<'a>(&'a self, call: &'static str, _: &'a [UserRead]) -> BoxFuture<'a, Result<(), RpcError>> {
        error!(
            call,
            "this service cannot decide who may read a conversation; the call is answered with `internal`"
        );
        Box::pin(ready(Err(Code::Internal.into())))
    }
}
