//! `natter migrate`: makes NATS and the store what this version needs, and says what it changed.

use nats::{
    apply::{self, Deployment, Difference},
    async_nats::jetstream,
    connect::{Address, Purpose, connect},
    topology::Topology,
};
use runtime::config::Strictness;
use schemas::id::Partition;
use store::Store;

use crate::{parts, settings};

pub async fn run() -> anyhow::Result<()> {
    // A provisioner signs no tokens: it is not asked for the secret of those who do.
    let settings = settings::read(&[], Strictness::Dev)?;
    let address = parts::address(&settings)?;
    let store = parts::open_store(&settings).await?;
    let provisioned = provision(&address, &parts::topology(&settings), store.as_ref()).await;
    store.close().await;
    report(&provisioned?.1);
    Ok(())
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

#[expect(clippy::print_stdout, reason = "the differences are the command's answer")]
fn report(differences: &[Difference]) {
    for difference in differences {
        println!("{difference}");
    }
    if differences.is_empty() {
        println!("nothing to change");
    }
}
