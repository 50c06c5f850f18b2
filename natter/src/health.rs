//! `natter health`: one question to a running server. Images need no other HTTP client for their health checks.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;

use crate::cli::HealthArgs;

const WITHIN: Duration = Duration::from_secs(5);

#[expect(clippy::print_stdout, reason = "the server's answer is the command's answer")]
pub async fn run(args: &HealthArgs) -> anyhow::Result<ExitCode> {
    let http = reqwest::Client::builder().timeout(WITHIN).no_proxy().build()?;
    let response =
        http.get(&args.url).send().await.with_context(|| format!("{} does not answer", args.url))?;
    let well = response.status().as_u16() == 200;
    println!("{} {}", response.status().as_u16(), response.text().await?);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
