//! Requests to the provider: bounded in time and bytes, never redirected, through no proxy.

use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url, header, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};

use natter_runtime::config;
use natter_schemas::limits;

use super::failure::ProviderFailure;

pub struct Http {
    client: Client,
    /// The provider runs on this host, as in development: then its endpoints may speak HTTP, there and nowhere else.
    plain: bool,
}

/// The answer to a form.
pub enum Posted<T> {
    Answer(T),
    /// RFC 6749 §5.2.
    Refused(String),
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Http {
    /// # Errors
    /// When `OIDC_CA` cannot be read.
    pub fn new(provider: &config::Provider) -> Result<Self, String> {
        let plain = provider.issuer.starts_with("http://");
        let mut builder = Client::builder()
            .timeout(limits::PROVIDER_REQUEST)
            .redirect(Policy::none())
            .no_proxy()
            .https_only(!plain);
        if let Some(ca) = &provider.ca {
            let named = |error: &dyn std::fmt::Display| format!("OIDC_CA {}: {error}", ca.display());
            let pem = std::fs::read(ca).map_err(|error| named(&error))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| named(&error))?;
            builder = builder.tls_certs_only(certificates);
        }
        Ok(Self { client: builder.build().map_err(|error| error.to_string())?, plain })
    }

    /// An address that the provider names.
    pub fn endpoint(&self, text: &str) -> Result<Url, ProviderFailure> {
        let wrong = || ProviderFailure::away("its document names an address that is not https");
        let url = Url::parse(text).map_err(|_| wrong())?;
        let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let secure = url.scheme() == "https" || (url.scheme() == "http" && self.plain && here);
        let whole = url.host_str().is_some() && url.username().is_empty() && url.password().is_none();
        if secure && whole && url.fragment().is_none() { Ok(url) } else { Err(wrong()) }
    }

    pub async fn get<T: DeserializeOwned>(
        &self,
        url: &Url,
        token: Option<&str>,
    ) -> Result<T, ProviderFailure> {
        let request = self.client.get(url.clone());
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let (status, body) = send(request).await?;
        if status == StatusCode::OK { parse(&body) } else { Err(unexpected(status)) }
    }

    /// `basic`: the client's id and secret, form-encoded (RFC 6749 §2.3.1).
    pub async fn post<T: DeserializeOwned>(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        basic: Option<(&str, &str)>,
    ) -> Result<Posted<T>, ProviderFailure> {
        let request = self.client.post(url.clone());
        let request =
            request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(encoded(form));
        let request = match basic {
            Some((id, secret)) => request.basic_auth(escaped(id), Some(escaped(secret))),
            None => request,
        };
        let (status, body) = send(request).await?;
        match status {
            StatusCode::OK => Ok(Posted::Answer(parse(&body)?)),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
                let Refusal { error } = parse(&body)?;
                // One of a closed list; it goes to the log.
                let error = error.chars().filter(char::is_ascii_graphic).take(64).collect();
                Ok(Posted::Refused(error))
            }
            status => Err(unexpected(status)),
        }
    }
}

async fn send(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), ProviderFailure> {
    let request = request.header(header::ACCEPT, "application/json");
    let answer = request.send().await.map_err(unavailable)?;
    Ok((answer.status(), read(answer).await?))
}

async fn read(mut answer: Response) -> Result<Vec<u8>, ProviderFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unavailable)? {
        if body.len() + chunk.len() > limits::PROVIDER_ANSWER {
            return Err(ProviderFailure::away("an answer is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProviderFailure> {
    // Without the text of the error, which may have a part of a token.
    serde_json::from_slice(body).map_err(|_| ProviderFailure::away("an answer is not what it should be"))
}

fn unexpected(status: StatusCode) -> ProviderFailure {
    ProviderFailure::Away(format!("it answered with the status {}", status.as_u16()))
}

/// Without the address: it may have a code in it.
fn unavailable(error: reqwest::Error) -> ProviderFailure {
    let error = error.without_url();
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    ProviderFailure::Away(format!("{error}{cause}"))
}

/// `application/x-www-form-urlencoded`.
fn encoded(form: &[(&str, &str)]) -> String {
    let url = Url::parse_with_params("form:", form).expect("an address of a scheme alone");
    url.query().unwrap_or_default().to_owned()
}

fn escaped(text: &str) -> String {
    encoded(&[(text, "")]).trim_end_matches('=').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(issuer: &str) -> Http {
        let (client_id, name) = ("natter".to_owned(), String::new());
        let (client_secret, scopes, ca) = (None, String::new(), None);
        let issuer = issuer.to_owned();
        Http::new(&config::Provider { issuer, client_id, client_secret, scopes, name, ca }).expect("no file")
    }

    #[test]
    fn nothing_is_asked_of_an_address_without_tls_but_on_this_host() {
        let (tls, plain) = (http("https://id.example"), http("http://127.0.0.1:1"));
        let anywhere = ["https://id.example/token", "https://elsewhere.example:8443/a?b=c"];
        assert!(anywhere.iter().all(|url| tls.endpoint(url).is_ok() && plain.endpoint(url).is_ok()));
        let here = ["http://127.0.0.1:2/token", "http://localhost/token", "http://[::1]:3/"];
        assert!(here.iter().all(|url| plain.endpoint(url).is_ok() && tls.endpoint(url).is_err()));
        for url in [
            "http://id.example/token",
            "http://169.254.169.254/latest",
            "http://localhost.example/",
            "http://127.0.0.1@id.example/",
            "https://a:b@id.example/",
            "https://id.example/#a",
            "file:///etc/passwd",
            "ftp://127.0.0.1/",
            "//id.example",
            "",
        ] {
            assert!(tls.endpoint(url).is_err() && plain.endpoint(url).is_err(), "{url}");
        }
    }

    #[test]
    fn forms_and_secrets_are_encoded() {
        assert_eq!(encoded(&[("a", "b c&d=e"), ("ä", "+")]), "a=b+c%26d%3De&%C3%A4=%2B");
        assert_eq!(escaped("se:cr et=%"), "se%3Acr+et%3D%25");
    }
}
