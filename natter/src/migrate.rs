//! `natter migrate`: makes NATS and the store what this version needs, and prints what it changed.

use std::process::ExitCode;

use natter_nats::{apply, connect::Purpose};
use natter_runtime::config::Strictness;
use natter_store::migration::{State, Status};

use crate::{
    bootstrap::{Backends, Provisioned},
    cli::MigrateArgs,
    settings,
};

pub async fn run(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let backends = Backends::read(&[], Strictness::Tokenless)?;
    if args.status {
        return status(&backends).await;
    }
    let migrated = settings::need_database(&backends.settings)?.migrate(print).await?;
    let store = backends.store().await?;
    let provisioned = backends.provision(store.as_ref(), args.accept_new_log).await;
    store.close().await;
    let Provisioned { differences, lost, .. } = provisioned?;
    if lost.anything() {
        print(&format!("warning: {lost}; what was only there is lost, and clients load everything again"));
    }
    for difference in &differences {
        print(&difference.to_string());
    }
    if !migrated && differences.is_empty() {
        print("nothing to change");
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(backends: &Backends) -> anyhow::Result<ExitCode> {
    let schema = settings::need_database(&backends.settings)?.status().await?;
    let js = backends.jetstream(Purpose::Provision).await?;
    let drift = apply::drift(&js, &backends.topology()).await?;

    let width = schema.iter().map(|status| status.title().len()).max().unwrap_or(0);
    for status in &schema {
        print(&line(status, width));
    }
    for difference in &drift {
        print(&difference.to_string());
    }
    if drift.is_empty() {
        print("NATS is as this version wants it");
    }
    let well = drift.is_empty() && schema.iter().all(|status| status.state == State::Applied);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(status: &Status, width: usize) -> String {
    let (title, state) = (status.title(), status.state.name());
    match status.applied_at {
        Some(at) => format!("{title:width$}  {state}  {at}"),
        None => format!("{title:width$}  {state}"),
    }
}

#[expect(clippy::print_stdout, reason = "what was found and changed is the command's answer")]
fn print(line: &str) {
    println!("{line}");
}
