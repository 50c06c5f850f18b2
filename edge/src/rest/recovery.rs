//! What is proved by a link that is sent to an address: a new password, a new address.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use natter_schemas::{rest, rpc};

use super::extract::{Caller, Json};
use crate::{api_error::ApiError, app::App, client_address::ClientAddress};

/// One answer, in the same time, whether or not an account has the address. Beside the client's address, which the gate has
/// counted, the mail's is counted: it may be named from many.
pub async fn request_password_reset(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    Json(body): Json<rest::RequestPasswordReset>,
) -> Result<StatusCode, ApiError> {
    app.admission.send_mail(&body.email).await?;
    let language = body.language.unwrap_or_default();
    let call = rpc::RequestPasswordReset { email: body.email, language };
    app.rpc.caused_by(client.ip).call(&call).await?;
    Ok(StatusCode::ACCEPTED)
}

pub async fn reset_password(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    Json(body): Json<rest::ResetPassword>,
) -> Result<StatusCode, ApiError> {
    let rest::ResetPassword { token, next } = body;
    app.rpc.caused_by(client.ip).call(&rpc::ResetPassword { token, next }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether another account has the address is not shown. The address is counted as it is for a reset.
pub async fn request_email_change(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Json(body): Json<rest::RequestEmailChange>,
) -> Result<StatusCode, ApiError> {
    app.admission.send_mail(&body.email).await?;
    let rest::RequestEmailChange { email, password, language } = body;
    let (user, session, language) = (caller.user(), caller.session(), language.unwrap_or_default());
    let call = rpc::RequestEmailChange { user, session, email, password, language };
    app.rpc.caused_by(client.ip).call(&call).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Without log-in: the link may be opened in another browser.
pub async fn change_email(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    Json(body): Json<rest::ChangeEmail>,
) -> Result<StatusCode, ApiError> {
    let rest::ChangeEmail { token, language } = body;
    let call = rpc::ChangeEmail { token, language: language.unwrap_or_default() };
    app.rpc.caused_by(client.ip).call(&call).await?;
    Ok(StatusCode::NO_CONTENT)
}
