//! `natter token`: an access token of any user, for scripts and support. It has a session like that of a log-in, so
//! the user sees it, and ends it as any other.

use std::process::ExitCode;

use anyhow::Context;
use natter_edge::{Keys, Tokens};
use natter_nats::{clock::LogClock, connect::Purpose};
use natter_runtime::{audit::Audit, config::Strictness, lifecycle::Lifecycle, logs};
use natter_schemas::{
    audit::Act,
    event::Timestamp,
    id::{SessionId, UserId},
};
use natter_store::{AddSession, Credentials, NewSession};
use natter_workers::services::profiles::Profiles;
use tracing::warn;

use crate::{bootstrap, cli::operator::TokenArgs, operator};

#[expect(clippy::print_stdout, reason = "the token is the command's answer")]
pub async fn run(args: &TokenArgs) -> anyhow::Result<ExitCode> {
    // As an edge needs it: without a key that signs there is no token.
    let backends = operator::backends(&args.target, Strictness::Production)?;
    let keys = Keys::new(&backends.settings.token_keys)?;
    logs::start(&backends.settings.log_level, backends.settings.log_format)?;
    let js = backends.jetstream(Purpose::Work).await?;
    let lifecycle = Lifecycle::new();
    let clock = LogClock::start(js, lifecycle.tracker(), lifecycle.stop().clone())
        .await
        .context("the log's time is not known")?;
    let audit = bootstrap::audit_of_command(&backends.settings, "token")?;
    let store = backends.store().await?;
    let tokens = Tokens::new(keys, args.lifetime, clock.clone());
    let profiles = backends.profiles(&store).await?;
    let made = make(args, &profiles, &tokens, clock.now(), &audit).await;
    audit.close().await;
    bootstrap::close_store(&*store).await;
    println!("{}", made?);
    Ok(ExitCode::SUCCESS)
}

async fn make(
    args: &TokenArgs,
    profiles: &Profiles,
    tokens: &Tokens,
    now: Timestamp,
    audit: &Audit,
) -> anyhow::Result<String> {
    let TokenArgs { user: named, lifetime, .. } = args;
    let credentials = find(profiles, named).await?.with_context(|| format!("there is no user {named}"))?;
    let (user, session) = (credentials.user.id, SessionId::fresh());
    let opened = NewSession {
        session,
        user,
        password_hash: credentials.password_hash,
        // Of a refresh token that does not exist: the session cannot be renewed.
        token: random()?,
        now,
        expires_at: Timestamp(now.0.saturating_add(i64::try_from(lifetime.as_millis())?)),
    };
    if profiles.store.add_session(&opened).await? == AddSession::PasswordChanged {
        anyhow::bail!("the password of {named} is being changed; run this again");
    }
    let token = tokens.issue(user, session, now).map_err(|code| anyhow::anyhow!("no token: {code}"))?;
    let by = bootstrap::operator();
    let seconds = lifetime.as_secs();
    // Seen at every usual LOG_LEVEL.
    warn!(%user, %session, seconds, operator = by, "an operator made an access token");
    audit.record(Act::AccessTokenMade { user, session, seconds, operator: by }, None).await;
    Ok(token)
}

/// By id; what is no id is a username or an email address.
pub async fn find(profiles: &Profiles, named: &str) -> anyhow::Result<Option<Credentials>> {
    Ok(match named.parse::<UserId>() {
        Ok(id) => profiles.store.credentials_of(id).await?,
        Err(_) => profiles.credentials(named).await?,
    })
}

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}
