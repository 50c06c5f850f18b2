//! A call as a piece of work in a trace, on both sides of it.

use natter_schemas::{code::Code, rpc::RpcError};
use natter_spans::{Kind, Position, Span, within};

/// What comes of the call `method` of `service`, as a span. Only a fault of the deployment fails it, no answer to who asked.
pub async fn of_call<T>(
    kind: Kind,
    (service, method): (&'static str, &'static str),
    parent: Option<Position>,
    work: impl Future<Output = T>,
    refused: impl FnOnce(&T) -> Option<Code>,
) -> T {
    let span = Span::begin(kind, method, parent);
    let outcome = within(span.position(), work).await;
    let fault = refused(&outcome).filter(|code| code.is_fault());
    span.end(fault.map(Code::name), || {
        vec![("rpc.system.name", "natter".into()), ("rpc.method", format!("{service}/{method}").into())]
    });
    outcome
}

/// Why a service did not do what it was called for.
pub fn refusal<T>(outcome: &Result<T, RpcError>) -> Option<Code> {
    outcome.as_ref().err().map(|error| error.code)
}
