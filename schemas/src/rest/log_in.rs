//! How people log in, beside the password.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How people log in to this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LogInOptions")]
pub struct LogInOptionsView {
    /// Whether by a password, and whether accounts can be registered.
    pub passwords: bool,
    /// By an OpenID Connect provider, which begins at `/api/auth/oidc/start`; `null`: there is none.
    pub provider: Option<ProviderView>,
    /// Whether the server sends mail: a forgotten password can be replaced.
    pub mail: bool,
}

/// Where people of this server log in, other than here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Provider")]
pub struct ProviderView {
    /// For a button.
    pub name: String,
}

/// Where the browser goes to link an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LinkStarted")]
pub struct LinkStartedView {
    /// An address of the provider, to be opened in this browser within ten minutes.
    pub url: String,
}
