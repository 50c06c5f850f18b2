//! Log-in by an OpenID Connect provider: everything that a browser, a provider or who is between them can bring that proves
//! nothing.

mod erasure; // accounts that no password protects

use std::time::{Duration, Instant};

use natter_testkit::{Authority, Conduct, DevServer, PASSWORD, Provider, Signing, User, query, until};
use reqwest::{Url, header, redirect::Policy};
use serde_json::{Value, json};

use crate::NATTER;

/// The contract's bound of one request to the provider, and what two busy cores add.
const PATIENT: Duration = Duration::from_secs(30);

fn settings(provider: &Provider) -> Vec<(&'static str, &'static str)> {
    let issuer = provider.issuer.clone().leak();
    vec![("OIDC_ISSUER", issuer), ("OIDC_CLIENT_ID", Provider::CLIENT), ("RATE_LIMITS", "off")]
}

async fn deployment() -> (Provider, DevServer) {
    let provider = Provider::start().await;
    let natter = DevServer::start(NATTER, &settings(&provider)).await;
    (provider, natter)
}

/// A browser without a page: it keeps cookies, and shows where it was sent.
struct Browser {
    http: reqwest::Client,
    base: String,
    /// `name=value` of the log-in under way.
    attempt: String,
}

/// Where it was sent, and the session that it has then.
struct Sent {
    to: String,
    refresh_token: Option<String>,
}

impl Browser {
    fn new(natter: &DevServer) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(2 * PATIENT).redirect(Policy::none());
        Self { http: http.build().unwrap(), base: natter.http.clone(), attempt: String::new() }
    }

    async fn open(&self, path: &str) -> reqwest::Response {
        let request = self.http.get(format!("{}{path}", self.base)).header(header::ACCEPT, "text/html");
        request.header(header::COOKIE, &self.attempt).send().await.unwrap()
    }

    /// To the provider.
    async fn start(&mut self) -> Url {
        let answer = self.open("/api/auth/oidc/start").await;
        assert_eq!(answer.status(), 302);
        self.attempt = cookie(&answer, "natter_oidc").expect("an attempt");
        Url::parse(&location(&answer)).unwrap()
    }

    async fn back(&self, parameters: &[(&str, &str)]) -> Sent {
        let path = Url::parse_with_params("http://x/api/auth/oidc/callback", parameters).unwrap();
        let answer = self.open(&format!("{}?{}", path.path(), path.query().unwrap_or_default())).await;
        assert_eq!(answer.status(), 302);
        assert_eq!(
            cookie(&answer, "natter_oidc").as_deref(),
            Some("natter_oidc="),
            "an attempt is finished once"
        );
        let refresh_token =
            cookie(&answer, "natter_refresh").map(|cookie| cookie["natter_refresh=".len()..].to_owned());
        Sent { to: location(&answer), refresh_token }
    }

    /// From the button to the end, as this person.
    async fn log_in(&mut self, provider: &Provider, who: &str) -> Sent {
        let url = self.start().await;
        let (state, code) = (query(&url, "state"), Provider::code(&url, who));
        self.back(&[("state", &state), ("code", &code), ("iss", &provider.issuer)]).await
    }
}

fn location(answer: &reqwest::Response) -> String {
    answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

/// `name=value` of a cookie that it sets.
fn cookie(answer: &reqwest::Response, name: &str) -> Option<String> {
    let mut set = answer.headers().get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let found = set.find(|cookie| cookie.starts_with(&format!("{name}=")))?;
    Some(found.split(';').next()?.to_owned())
}

impl Sent {
    #[track_caller]
    fn in_as(self, natter: &DevServer) -> impl Future<Output = User> {
        assert_eq!(self.to, "/");
        let (token, base) = (self.refresh_token.expect("a session"), natter.http.clone());
        async move { User::renew(&base, &token).await }
    }

    #[track_caller]
    fn refused(&self, code: &str) {
        assert_eq!(self.to, format!("/?error={code}"));
        assert!(self.refresh_token.is_none());
    }
}

#[tokio::test]
async fn a_person_of_the_provider_has_one_account_with_sessions_as_any() {
    let (provider, natter) = deployment().await;
    let mut browser = Browser::new(&natter);
    let first = browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
    let own = first.get("/api/me").await.ok(200);
    assert_eq!((&own["username"], &own["displayName"]), (&json!("alice"), &json!("Alice of Corp")));
    assert_eq!(own["email"], "alice@corp.example");
    let second = browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
    assert_eq!(second.id, first.id);
    let open = first.get("/api/auth/sessions").await.ok(200);
    assert_eq!(open["items"].as_array().unwrap().len(), 2);
    second.post("/api/auth/logout-all", &json!({})).await.ok(204);
    until("logged out everywhere", async || first.get("/api/me").await.status == 401).await;
    // There is no password that would open it.
    for password in ["", "!", PASSWORD] {
        let log_in = json!({"login": "alice", "password": password});
        assert!([401, 422].contains(&first.post("/api/auth/login", &log_in).await.status), "{password}");
    }
    // Another person of the same names is another account; of no names and no verified address, too.
    provider.conduct(|conduct| {
        conduct.claims = json!({"preferred_username": "alice", "email": "alice@corp.example"});
    });
    let other = browser.log_in(&provider, "subject-2").await.in_as(&natter).await;
    let own = other.get("/api/me").await.ok(200);
    assert!(other.id != first.id && own["username"].as_str().unwrap().starts_with("alice-"), "{own}");
    assert_eq!(own.get("email"), None, "not verified");
}

#[tokio::test]
async fn who_the_token_does_not_name_the_profile_does() {
    let (provider, natter) = deployment().await;
    let mut browser = Browser::new(&natter);
    let profile = |sub: &str| json!({"sub": sub, "preferred_username": "carol", "name": "Carol", "email": "c@corp.example", "email_verified": true});
    provider.conduct(|conduct| (conduct.claims, conduct.profile) = (json!({}), profile("subject-2")));
    browser.log_in(&provider, "subject-1").await.refused("login_invalid");
    provider.conduct(|conduct| (conduct.claims, conduct.profile) = (json!({}), profile("subject-1")));
    let carol = browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
    assert_eq!(carol.get("/api/me").await.ok(200)["email"], "c@corp.example");
}

#[tokio::test]
async fn a_token_that_proves_nothing_opens_no_session() {
    let (provider, natter) = deployment().await;
    let mut browser = Browser::new(&natter);
    let now = natter_schemas::event::Timestamp::now().0 / 1000;
    for claims in [
        json!({"iss": "https://id.example"}),
        json!({"aud": "another-client"}),
        json!({"aud": ["natter", "another-client"]}),
        json!({"azp": "another-client"}),
        json!({"nonce": "of another attempt"}),
        json!({"nonce": null}),
        json!({"exp": now - 600}),
        json!({"exp": null}),
        json!({"iat": now + 3600, "exp": now + 7200}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": "x".repeat(256)}),
    ] {
        provider.conduct(|conduct| conduct.claims = claims.clone());
        browser.log_in(&provider, "subject-1").await.refused("login_invalid");
    }
    for signing in [Signing::Other, Signing::Public, Signing::None] {
        provider.conduct(|conduct| conduct.signing = signing);
        browser.log_in(&provider, "subject-1").await.refused("login_invalid");
    }
    provider.conduct(|_| ());
    browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
    assert!(natter.log().contains("of another issuer"), "the reason is in the log, the answer has a code");
}

#[tokio::test]
async fn an_answer_that_is_not_to_this_attempt_opens_no_session() {
    let (provider, natter) = deployment().await;
    let (mut browser, mut other) = (Browser::new(&natter), Browser::new(&natter));
    let issuer = provider.issuer.as_str();
    let url = browser.start().await;
    let (state, code) = (query(&url, "state"), Provider::code(&url, "subject-1"));
    let own = [("state", state.as_str()), ("code", code.as_str()), ("iss", issuer)];
    // Of another browser, of one without an attempt, of none of both.
    other.start().await;
    other.back(&own).await.refused("login_expired");
    Browser::new(&natter).back(&own).await.refused("login_expired");
    browser.back(&[]).await.refused("login_expired");
    browser.back(&[("state", "another"), own[1], own[2]]).await.refused("login_expired");
    // Tampered with.
    let kept = browser.attempt.clone();
    for changed in
        [kept.replace('=', "=A"), kept[..kept.len() - 8].to_owned(), "natter_oidc=rubbish".to_owned()]
    {
        browser.attempt = changed;
        browser.back(&own).await.refused("login_expired");
    }
    browser.attempt = kept;
    // Of another provider (RFC 9207), or of one that does not say who it is.
    browser.back(&[own[0], own[1], ("iss", "https://id.example")]).await.refused("login_invalid");
    browser.back(&own[..2]).await.refused("login_invalid");
    browser.back(&[own[0], own[2]]).await.refused("login_invalid");
    browser.back(&[own[0], ("code", &"x".repeat(4097)), own[2]]).await.refused("login_invalid");
    for (error, code) in [
        ("access_denied", "login_denied"),
        ("temporarily_unavailable", "unavailable"),
        ("invalid_scope", "login_invalid"),
        ("<script>", "login_invalid"),
    ] {
        browser.back(&[own[0], ("error", error), own[2]]).await.refused(code);
    }
    assert!(!provider.requests().iter().any(|path| path == "/token"), "no code was given away");
    // A code of another attempt is not exchanged (PKCE), its own is, once.
    let stolen = Provider::code(&other.start().await, "subject-2");
    browser.back(&[own[0], ("code", &stolen), own[2]]).await.refused("login_expired");
    browser.back(&own).await.in_as(&natter).await;
    browser.back(&own).await.refused("login_expired");
}

#[tokio::test]
async fn a_provider_that_is_away_or_talks_rubbish_makes_no_one_wait() {
    let (provider, natter) = deployment().await;
    let mut browser = Browser::new(&natter);
    browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
    let answers = [
        (500, "{}".to_owned()),
        (200, "rubbish".to_owned()),
        (200, "{}".to_owned()),
        (200, json!({"id_token": 7}).to_string()),
        (200, "x".repeat(300_000)),
        (400, json!({"error": "invalid_client"}).to_string()),
        // To an address that it would have to ask.
        (302, String::new()),
        (404, String::new()),
    ];
    for answer in answers {
        let what = format!("{answer:?}").chars().take(40).collect::<String>();
        provider.conduct(|conduct| conduct.token = Some(answer));
        let sent = browser.log_in(&provider, "subject-1").await;
        assert_eq!(sent.to, "/?error=unavailable", "{what}");
    }
    provider.conduct(|conduct| conduct.silent = "/token");
    let begun = Instant::now();
    browser.log_in(&provider, "subject-1").await.refused("unavailable");
    assert!(begun.elapsed() < PATIENT, "{:?}", begun.elapsed());
    for rubbish in [json!({"id_token": "a.b.c"}), json!({"id_token": ""})] {
        provider.conduct(|conduct| conduct.token = Some((200, rubbish.to_string())));
        browser.log_in(&provider, "subject-1").await.refused("login_invalid");
    }
    provider.conduct(|_| ());
    browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
}

#[tokio::test]
async fn what_a_provider_says_of_itself_must_be_its_own_and_safe() {
    for document in [
        json!({"issuer": "https://id.example"}),
        json!({"token_endpoint": "http://id.example/token"}),
        json!({"jwks_uri": "http://169.254.169.254/keys"}),
        json!({"authorization_endpoint": "javascript:alert(1)"}),
        json!({"token_endpoint": null}),
        json!({"jwks_uri": 7}),
    ] {
        let provider = Provider::start().await;
        provider.conduct(|conduct| conduct.document = document.clone());
        let natter = DevServer::start(NATTER, &settings(&provider)).await;
        let answer = Browser::new(&natter).open("/api/auth/oidc/start").await;
        assert_eq!(
            (answer.status().as_u16(), location(&answer).as_str()),
            (302, "/?error=unavailable"),
            "{document}"
        );
        // A program gets a problem.
        let program = User::register_as(&natter.http, "bob").await;
        assert_eq!(program.get("/api/auth/oidc/start").await.code(), (503, "unavailable"));
        provider.conduct(|_| ());
        until("the provider is asked again", async || {
            location(&Browser::new(&natter).open("/api/auth/oidc/start").await).starts_with(&provider.issuer)
        })
        .await;
    }
}

#[tokio::test]
async fn keys_of_the_provider_follow_each_other() {
    let (provider, natter) = deployment().await;
    let mut browser = Browser::new(&natter);
    let begun = Instant::now();
    browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
    browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
    let asked = || provider.requests().iter().filter(|path| *path == "/keys").count();
    assert_eq!(asked(), 1, "they are kept");
    // Whoever makes up names of keys has them fetched again once in ten seconds.
    provider.conduct(|conduct| conduct.signing = Signing::Other);
    for _ in 0..10 {
        browser.log_in(&provider, "subject-1").await.refused("login_invalid");
    }
    provider.conduct(|conduct| conduct.key = 1);
    until("the new key is known", async || browser.log_in(&provider, "subject-1").await.to == "/").await;
    let most = 2 + usize::try_from(begun.elapsed().as_secs() / 10).unwrap();
    assert!((2..=most).contains(&asked()), "{} of {most}", asked());
}

#[tokio::test]
async fn an_account_is_linked_by_its_owner_and_never_by_its_address() {
    let (provider, natter) = deployment().await;
    let owner = User::register_as(&natter.http, "owner").await;
    let claims =
        json!({"preferred_username": "mallory", "email": "owner@tests.example", "email_verified": true});
    let mut browser = Browser::new(&natter);
    provider.conduct(|conduct| conduct.claims = claims.clone());
    browser.log_in(&provider, "subject-1").await.refused("email_taken");
    // The owner shows both: their session here, and the identity there.
    let link = async |browser: &mut Browser, user: &User, who: &str| {
        let answer = user.post("/api/me/identities", &json!({})).await;
        let set = answer.headers["set-cookie"].to_str().unwrap().to_owned();
        browser.attempt = set.split(';').next().unwrap().to_owned();
        let url = Url::parse(answer.ok(200)["url"].as_str().unwrap()).unwrap();
        let (state, code) = (query(&url, "state"), Provider::code(&url, who));
        browser.back(&[("state", &state), ("code", &code), ("iss", &provider.issuer)]).await
    };
    let linked = link(&mut browser, &owner, "subject-1").await;
    assert_eq!((linked.to.as_str(), linked.refresh_token), ("/settings?linked=true", None));
    assert_eq!(browser.log_in(&provider, "subject-1").await.in_as(&natter).await.id, owner.id);
    link(&mut browser, &owner, "subject-1").await;
    let other = User::register_as(&natter.http, "other").await;
    link(&mut browser, &other, "subject-1").await.refused("identity_taken");
    assert_eq!(browser.log_in(&provider, "subject-1").await.in_as(&natter).await.id, owner.id);
    // By password as before.
    User::log_in_as(&natter.http, "owner").await;
    let stranger = User::register_as(&natter.http, "stranger").await.with_token("rubbish".to_owned());
    assert_eq!(stranger.post("/api/me/identities", &json!({})).await.status, 401);
}

#[tokio::test]
async fn without_passwords_only_the_provider_makes_accounts() {
    let provider = Provider::start().await;
    let settings = [settings(&provider), vec![("OIDC_NAME", "Corp"), ("PASSWORD_LOGIN", "false")]].concat();
    let natter = DevServer::start(NATTER, &settings).await;
    let mut browser = Browser::new(&natter);
    let alice = browser.log_in(&provider, "subject-1").await.in_as(&natter).await;
    let options = alice.get("/api/auth/options").await.ok(200);
    assert_eq!(options, json!({"passwords": false, "provider": {"name": "Corp"}, "mail": false}));
    let account = json!({"username": "bob", "email": "bob@tests.example", "password": PASSWORD});
    for (path, body) in [
        ("/api/auth/register", account),
        ("/api/auth/login", json!({"login": "alice", "password": PASSWORD})),
        ("/api/me/password", json!({"current": PASSWORD, "next": PASSWORD})),
    ] {
        assert_eq!(alice.post(path, &body).await.code(), (403, "password_login_off"), "{path}");
    }
    let mut again = alice.clone();
    again.refresh().await;
    again.get("/api/me").await.ok(200);
}

#[tokio::test]
async fn without_a_provider_there_is_no_way_to_it() {
    let natter = DevServer::start(NATTER, &[]).await;
    let alice = User::register_as(&natter.http, "alice").await;
    assert_eq!(
        alice.get("/api/auth/options").await.ok(200),
        json!({"passwords": true, "provider": Value::Null, "mail": false})
    );
    for path in ["/api/auth/oidc/start", "/api/auth/oidc/callback?code=a&state=b"] {
        assert_eq!(alice.get(path).await.code(), (404, "not_found"), "{path}");
    }
    assert_eq!(alice.post("/api/me/identities", &json!({})).await.code(), (404, "not_found"));
}

#[tokio::test]
async fn a_provider_may_have_a_certificate_of_a_ca_of_its_own() {
    let authority = Authority::new();
    let provider = Provider::start_with_tls(&authority).await;
    let distrusting = DevServer::start(NATTER, &settings(&provider)).await;
    let answer = Browser::new(&distrusting).open("/api/auth/oidc/start").await;
    assert_eq!(location(&answer), "/?error=unavailable");
    let ca = authority.ca().display().to_string().leak();
    let natter = DevServer::start(NATTER, &[settings(&provider), vec![("OIDC_CA", ca)]].concat()).await;
    Browser::new(&natter).log_in(&provider, "subject-1").await.in_as(&natter).await;
    // With TLS nothing is asked without.
    let conduct =
        |conduct: &mut Conduct| conduct.document = json!({"token_endpoint": "http://127.0.0.1:1/token"});
    provider.conduct(conduct);
    let again = DevServer::start(NATTER, &[settings(&provider), vec![("OIDC_CA", ca)]].concat()).await;
    assert_eq!(location(&Browser::new(&again).open("/api/auth/oidc/start").await), "/?error=unavailable");
}
