//! An OpenID Connect provider, which vouches for who someone is: authorization code flow with PKCE (RFC 7636), and nothing that a
//! browser brings is believed without the provider's signature. What was decided, and why:
//! [0032](../../../docs/decisions/0032-log-in-by-a-provider.md).

mod attempt; // 1 a browser goes to the provider, and comes back with what it was given
mod document; // 2 what the provider publishes of itself
mod http; //   asked for within bounds
mod kept; //   and kept for a while
mod id_token; // 3 its token names a person
mod signing_keys; //   signed by one of its keys
mod person; // 4 who that is
mod failure; // why someone is not logged in

use std::{sync::Arc, time::Duration};

use metrics::counter;
use natter_runtime::{config, sampled::Sampled};
use natter_schemas::{
    code::Code,
    event::Timestamp,
    id::{EventKey, UserId},
    limits,
    rpc::{FinishProviderLogIn, StartedProviderLogIn},
};
use natter_store::Identity;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tracing::{info, warn};

use attempt::{Attempt, Attempts};
use document::Document;
pub use failure::ProviderFailure;
use http::{Http, Posted};
use id_token::IdToken;
use kept::Kept;
pub use person::Person;
use signing_keys::SigningKeys;

/// Where the provider sends browsers back to, below `PUBLIC_URL`.
const CALLBACK: &str = "/api/auth/oidc/callback";
/// A provider that moves is found again after so long.
const DOCUMENT_KEPT: Duration = Duration::from_hours(1);
/// A key that was taken back is no longer believed after so long.
const KEYS_KEPT: Duration = Duration::from_hours(1);
/// Tokens of keys that do not exist make no more requests than this.
const KEYS_AGAIN: Duration = Duration::from_secs(10);

/// What the provider has proved.
pub struct Authenticated {
    pub identity: Identity,
    /// Who wanted the identity for their account.
    pub link: Option<UserId>,
    /// As far as the token names them.
    person: Person,
    access_token: Option<String>,
}

pub struct OpenIdProvider {
    settings: config::Provider,
    redirect_uri: String,
    attempts: Attempts,
    http: Http,
    document: Kept<Document>,
    keys: Kept<SigningKeys>,
    waiting: Semaphore,
    refusals: Sampled,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

impl OpenIdProvider {
    /// Nothing is asked of the provider yet: a worker starts without it.
    ///
    /// # Errors
    /// When `OIDC_CA` cannot be read.
    pub fn new(settings: config::Provider, public_url: &str, key: &EventKey) -> Result<Self, String> {
        Ok(Self {
            redirect_uri: format!("{public_url}{CALLBACK}"),
            attempts: Attempts::new(key),
            http: Http::new(&settings)?,
            document: Kept::default(),
            keys: Kept::default(),
            waiting: Semaphore::new(limits::PROVIDER_WAITING),
            refusals: Sampled::once_a(Duration::from_secs(1)),
            settings,
        })
    }

    /// For people.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    pub async fn start(&self, link: Option<UserId>, now: Timestamp) -> Result<StartedProviderLogIn, Code> {
        self.within_bounds(self.begin(link, now)).await
    }

    pub async fn finish(&self, call: &FinishProviderLogIn, now: Timestamp) -> Result<Authenticated, Code> {
        self.within_bounds(self.authenticate(call, now)).await
    }

    /// Who they are, for an account that is to be made.
    pub async fn person(&self, who: &Authenticated) -> Result<Person, Code> {
        self.within_bounds(self.look_up(who)).await
    }

    async fn within_bounds<T>(
        &self,
        work: impl Future<Output = Result<T, ProviderFailure>>,
    ) -> Result<T, Code> {
        let outcome = match self.waiting.try_acquire() {
            Ok(_waits) => tokio::time::timeout(limits::PROVIDER_LOG_IN, work)
                .await
                .unwrap_or_else(|_| Err(ProviderFailure::away("it took too long"))),
            Err(_) => Err(ProviderFailure::away("too many log-ins wait for it")),
        };
        outcome.map_err(|failure| self.refuse(&failure))
    }

    /// Anyone can have a log-in refused as often as the rate limit allows: the lines are sampled.
    fn refuse(&self, failure: &ProviderFailure) -> Code {
        let code = failure.code();
        counter!("natter_provider_log_ins_refused_total", "code" => code.name()).increment(1);
        if let Some(count) = self.refusals.due() {
            if code == Code::Unavailable {
                warn!(error = %failure, count, "log-in by the provider is not possible now");
            } else {
                info!(error = %failure, count, "log-in by the provider refused");
            }
        }
        code
    }

    async fn begin(
        &self,
        link: Option<UserId>,
        now: Timestamp,
    ) -> Result<StartedProviderLogIn, ProviderFailure> {
        let document = self.document().await?;
        let attempt = Attempt::begin(link, now);
        let mut url = document.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &attempt.state())
            .append_pair("nonce", &attempt.nonce())
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(StartedProviderLogIn { url: url.into(), attempt: self.attempts.write(&attempt) })
    }

    async fn authenticate(
        &self,
        call: &FinishProviderLogIn,
        now: Timestamp,
    ) -> Result<Authenticated, ProviderFailure> {
        let attempt = self.attempts.read(call.attempt.as_deref(), call.state.as_deref(), now)?;
        let document = self.document().await?;
        self.check_issuer(call.issuer.as_deref(), document.names_itself)?;
        if let Some(error) = &call.error {
            return Err(refused_with(error));
        }
        let code = call.code.as_deref().ok_or_else(|| ProviderFailure::invalid("no code"))?;
        let Tokens { id_token, access_token } = self.exchange(&document, code, &attempt).await?;
        let token = IdToken::read(&id_token)?;
        let keys = self.keys(&document, KEYS_KEPT).await?;
        let key = match keys.of(&token.header) {
            Some(key) => key,
            // A new one of theirs, perhaps.
            None => {
                let keys = self.keys(&document, KEYS_AGAIN).await?;
                keys.of(&token.header)
                    .ok_or_else(|| ProviderFailure::invalid("signed by no key of the provider"))?
            }
        };
        let claims = token.verify(&key, &self.settings, &attempt.nonce(), now)?;
        let identity = Identity { issuer: self.settings.issuer.clone(), subject: claims.subject };
        Ok(Authenticated { identity, link: attempt.link, person: Person::of(&claims.all), access_token })
    }

    /// An answer of another provider must not get a code of this one (RFC 9207).
    fn check_issuer(&self, named: Option<&str>, names_itself: bool) -> Result<(), ProviderFailure> {
        match named {
            Some(named) if named != self.settings.issuer => {
                Err(ProviderFailure::invalid("the answer is of another issuer"))
            }
            None if names_itself => Err(ProviderFailure::invalid("the answer names no issuer")),
            _ => Ok(()),
        }
    }

    async fn exchange(
        &self,
        document: &Document,
        code: &str,
        attempt: &Attempt,
    ) -> Result<Tokens, ProviderFailure> {
        let verifier = attempt.verifier();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &verifier),
        ];
        let (id, secret) = (self.settings.client_id.as_str(), self.settings.client_secret.as_ref());
        let secret = secret.map(ExposeSecret::expose_secret);
        let in_header = secret.filter(|_| !document.wants_secret_in_form);
        if in_header.is_none() {
            form.push(("client_id", id));
            form.extend(secret.map(|secret| ("client_secret", secret)));
        }
        let basic = in_header.map(|secret| (id, secret));
        match self.http.post(&document.token_endpoint, &form, basic).await? {
            Posted::Answer(tokens) => Ok(tokens),
            Posted::Refused(error) if error == "invalid_grant" => {
                Err(ProviderFailure::Expired("the code was used before, or too late"))
            }
            // Whoever logs in can do nothing about it.
            Posted::Refused(error) => Err(ProviderFailure::Away(format!(
                "it gives no token: {error}; are OIDC_CLIENT_ID, its secret and PUBLIC_URL as it knows them?"
            ))),
        }
    }

    async fn look_up(&self, who: &Authenticated) -> Result<Person, ProviderFailure> {
        let document = self.document().await?;
        let (Some(endpoint), Some(token)) = (&document.userinfo_endpoint, &who.access_token) else {
            return Ok(who.person.clone());
        };
        if who.person.is_whole() {
            return Ok(who.person.clone());
        }
        let claims: serde_json::Map<_, _> = self.http.get(endpoint, Some(token)).await?;
        // Without it another person's profile could be put in this one's place (OpenID Connect Core §5.3.2).
        if claims.get("sub").and_then(|sub| sub.as_str()) != Some(who.identity.subject.as_str()) {
            return Err(ProviderFailure::invalid("the profile is of another subject"));
        }
        Ok(who.person.clone().or(Person::of(&claims)))
    }

    async fn document(&self) -> Result<Arc<Document>, ProviderFailure> {
        let fetched = Document::fetch(&self.http, &self.settings.issuer);
        self.document.get(DOCUMENT_KEPT, fetched).await
    }

    async fn keys(&self, document: &Document, age: Duration) -> Result<Arc<SigningKeys>, ProviderFailure> {
        self.keys.get(age, SigningKeys::fetch(&self.http, &document.jwks_uri)).await
    }
}

/// By RFC 6749 §4.1.2.1 and OpenID Connect Core §3.1.2.6.
fn refused_with(error: &str) -> ProviderFailure {
    match error {
        "server_error" | "temporarily_unavailable" => ProviderFailure::Away(error.to_owned()),
        "access_denied"
        | "interaction_required"
        | "login_required"
        | "account_selection_required"
        | "consent_required" => ProviderFailure::Denied(error.to_owned()),
        // From the address: it could be anything.
        _ => ProviderFailure::invalid("the provider answered with an error of another kind"),
    }
}
