//! `natter reset-password`: a link by which a user sets another password, for an operator to pass on. No mail is sent.

use std::process::ExitCode;

use anyhow::Context;
use natter_nats::clock::LogClock;
use natter_runtime::lifecycle::Lifecycle;
use natter_schemas::{audit::Act, id::UserId};
use natter_workers::{password_link, services::profiles::Profiles};

use crate::{bootstrap, cli::operator::ResetPasswordArgs, operator::Operator};

pub async fn run(args: &ResetPasswordArgs) -> anyhow::Result<ExitCode> {
    let operator = Operator::start(&args.target).await?;
    let store = operator.store().await?;
    let profiles = operator.profiles(&store).await?;
    let made = make(&operator, &profiles, &args.user).await;
    bootstrap::close_store(&*store).await;
    print(&made?);
    Ok(ExitCode::SUCCESS)
}

async fn make(operator: &Operator, profiles: &Profiles, named: &str) -> anyhow::Result<String> {
    let found = match named.parse::<UserId>() {
        Ok(id) => profiles.store.credentials_of(id).await?,
        Err(_) => profiles.credentials(named).await?,
    };
    let user = found.with_context(|| format!("there is no user {named}, or the account is closed"))?.user.id;
    let lifecycle = Lifecycle::new();
    let clock = LogClock::start(operator.js.clone(), lifecycle.tracker(), lifecycle.stop().clone())
        .await
        .context("the log's time is not known")?;
    let public_url = operator.settings().log_ins.public_url.as_deref().unwrap_or_default();
    let link = password_link(&*profiles.store, user, public_url, clock.now()).await?;
    let audit = bootstrap::audit_of_command(operator.settings(), "reset-password")?;
    let act = Act::PasswordResetRequested { user, operator: Some(bootstrap::operator()) };
    audit.record(act, None).await;
    audit.close().await;
    Ok(link)
}

#[expect(clippy::print_stdout, reason = "the link is the command's answer")]
fn print(link: &str) {
    println!("{link}");
}
