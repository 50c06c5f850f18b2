//! `natter migrate`: makes NATS and the store what this version needs, and says what it changed.

use std::process::ExitCode;

use natter_nats::{
    apply::{self, Deployment, Difference},
    async_nats::jetstream,
    connect::{Address, Purpose, connect},
    topology::Topology,
};
use natter_runtime::config::{Settings, Strictness};
use natter_schemas::id::Partition;
use natter_store::{
    Store,
    migration::{State, Status},
};

use crate::{bootstrap, cli::MigrateArgs, settings};

pub async fn run(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let settings = settings::read(&[], Strictness::Tokenless)?;
    let address = bootstrap::address(&settings)?;
    if args.status {
        return status(&settings, &address).await;
    }
    let migrated = settings::need_database(&settings)?.migrate(say).await?;
    let store = bootstrap::open_store(&settings).await?;
    let provisioned = provision(&address, &bootstrap::topology(&settings), store.as_ref()).await;
    store.close().await;
    let differences = provisioned?.1;
    for difference in &differences {
        say(&difference.to_string());
    }
    if !migrated && differences.is_empty() {
        say("nothing to change");
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the log what the topology says, above everything the store has.
pub async fn provision(
    address: &Address,
    topology: &Topology,
    store: &dyn Store,
) -> anyhow::Result<(Deployment, Vec<Difference>)> {
    let js = jetstream::new(connect(address, Purpose::Provision).await?);
    let mut highest = Vec::new();
    for partition in Partition::all(topology.partitions) {
        highest.push(store.highest(partition).await?);
    }
    Ok(apply::apply(&js, topology, &highest).await?)
}

async fn status(settings: &Settings, address: &Address) -> anyhow::Result<ExitCode> {
    let schema = settings::need_database(settings)?.status().await?;
    let js = jetstream::new(connect(address, Purpose::Provision).await?);
    let drift = apply::drift(&js, &bootstrap::topology(settings)).await?;

    let width = schema.iter().map(|status| status.title().len()).max().unwrap_or(0);
    for status in &schema {
        say(&line(status, width));
    }
    for difference in &drift {
        say(&difference.to_string());
    }
    if drift.is_empty() {
        say("NATS is as this version wants it");
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
fn say(line: &str) {
    println!("{line}");
}
