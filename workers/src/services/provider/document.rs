//! What the provider publishes of itself (OpenID Connect Discovery 1.0 §3).

use reqwest::Url;
use serde::Deserialize;

use super::{failure::ProviderFailure, http::Http};

pub struct Document {
    pub authorization_endpoint: Url,
    pub token_endpoint: Url,
    pub jwks_uri: Url,
    pub userinfo_endpoint: Option<Url>,
    /// Its answers to browsers have its issuer (RFC 9207).
    pub names_itself: bool,
    /// It takes the client's secret in the form and not in a header.
    pub wants_secret_in_form: bool,
}

#[derive(Deserialize)]
struct Published {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Document {
    pub async fn fetch(http: &Http, issuer: &str) -> Result<Self, ProviderFailure> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let published: Published = http.get(&http.endpoint(&address)?, None).await?;
        // Else one provider could speak for another (§4.3).
        if published.issuer != issuer {
            return Err(ProviderFailure::away("its document is of another issuer than OIDC_ISSUER"));
        }
        let methods = published.token_endpoint_auth_methods_supported;
        let wants_secret_in_form = methods.is_some_and(|methods| {
            let has = |name: &str| methods.iter().any(|method| method == name);
            has("client_secret_post") && !has("client_secret_basic")
        });
        Ok(Self {
            authorization_endpoint: http.endpoint(&published.authorization_endpoint)?,
            token_endpoint: http.endpoint(&published.token_endpoint)?,
            jwks_uri: http.endpoint(&published.jwks_uri)?,
            userinfo_endpoint: published.userinfo_endpoint.map(|text| http.endpoint(&text)).transpose()?,
            names_itself: published.authorization_response_iss_parameter_supported,
            wants_secret_in_form,
        })
    }
}
