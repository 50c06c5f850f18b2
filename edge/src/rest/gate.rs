//! In front of every handler: who calls, whether they have the tokens that the route takes, and whether it is their turn.
//! No route is without it: the router is made of routes and their costs together.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    handler::Handler,
    http::{HeaderMap, Method},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, any, on},
};
use natter_schemas::code::Code;

use crate::{
    api_error::ApiError,
    app::App,
    auth::{self, Identity},
    client_address::ClientAddress,
    costs::{self, RouteCost},
    feeds::control::CUT_OFF,
    turns::Turn,
};

#[derive(Clone)]
struct Gate {
    app: Arc<App>,
    cost: RouteCost,
}

/// A handler behind its gate.
pub fn route<H, T>(app: &Arc<App>, method: Method, path: &str, handler: H) -> MethodRouter<Arc<App>>
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    let cost = costs::of_route(method.as_str(), path);
    let cost = cost.unwrap_or_else(|| panic!("{method} {path} has no line in edge/src/costs.rs"));
    let filter = MethodFilter::try_from(method).expect("one of the methods that axum knows");
    let gate = Gate { app: app.clone(), cost };
    on(filter, handler).route_layer(from_fn_with_state(gate, pass))
}

/// In front of the answer to every other address.
pub fn fallback<H, T>(app: &Arc<App>, handler: H) -> MethodRouter<Arc<App>>
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    let gate = Gate { app: app.clone(), cost: costs::NO_SUCH_ADDRESS };
    any(handler).layer(from_fn_with_state(gate, pass))
}

/// The answer says who called, for the request's line.
async fn pass(State(Gate { app, cost }): State<Gate>, mut request: Request, next: Next) -> Response {
    let admitted = admit(&app, cost, &mut request).await;
    let caller = request.extensions().get::<Identity>().copied();
    let mut response = match admitted {
        Ok(Some(turn)) => turn.kept_by(next.run(request).await),
        Ok(None) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if let Some(caller) = caller {
        response.extensions_mut().insert(caller);
    }
    response
}

/// What a call of a user keeps until its answer is taken.
async fn admit(app: &App, cost: RouteCost, request: &mut Request) -> Result<Option<Turn>, ApiError> {
    let mut turn = None;
    match cost {
        RouteCost::User(cost) => {
            let caller = caller(app, request.headers()).await?;
            request.extensions_mut().insert(caller);
            if app.control.is_cut_off() {
                return Err(ApiError::new(Code::Unavailable, CUT_OFF));
            }
            app.admission.take(cost, &caller.user.to_string()).await?;
            turn = Some(app.admission.turn(caller.user).await?);
        }
        RouteCost::Address(cost) => app.admission.take(cost, &network(request).to_string()).await?,
        RouteCost::Free => {}
    }
    if request.uri().path().starts_with("/api/") && !is_utf8(request.uri().query().unwrap_or_default()) {
        return Err(ApiError::new(Code::Malformed, "the query string is not UTF-8"));
    }
    Ok(turn)
}

/// The owner of the bearer token, of a session that has not ended.
async fn caller(app: &App, headers: &HeaderMap) -> Result<Identity, ApiError> {
    let token = auth::bearer(headers)
        .ok_or_else(|| ApiError::new(Code::Unauthenticated, "an Authorization: Bearer header is needed"))?;
    let identity = app.tokens.verify(token)?;
    if app.revoked.contains(identity.session).await {
        return Err(ApiError::new(Code::Unauthenticated, "the session has ended"));
    }
    app.held.put(&identity, token);
    Ok(identity)
}

/// Whether what is percent-encoded is text. What parses a query reads other bytes as U+FFFD.
fn is_utf8(query: &str) -> bool {
    percent_encoding::percent_decode_str(query).decode_utf8().is_ok()
}

fn network(request: &Request) -> IpAddr {
    ClientAddress::of(request.extensions()).network()
}
