//! A new password for who has forgotten theirs, by a link that is sent to them.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use natter_schemas::{rest, rpc};

use super::extract::Json;
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
