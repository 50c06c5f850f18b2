//! `natter keys retire`: data keys that no text needs are removed, and a root is said to be needed or not.

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use natter_schemas::{audit::Act, limits};
use natter_workers::services::keys::{Needed, UpTo};
use tokio::time::sleep;

use super::{Tool, exit};
use crate::{
    bootstrap,
    cli::keys::{RetireArgs, Retired},
};

impl Tool {
    pub async fn retire(&self, args: &RetireArgs) -> anyhow::Result<ExitCode> {
        match &args.key {
            Retired::Epoch(epoch) => self.retire_epoch(UpTo(*epoch), args.check).await,
            Retired::Root(root) => self.retire_root(root).await,
        }
    }

    /// What processes sealed with a key that was the newest until a moment ago may still come: so it is counted a second time,
    /// after that.
    #[expect(clippy::print_stdout, reason = "it is the command's answer")]
    async fn retire_epoch(&self, old: UpTo, check: bool) -> anyhow::Result<ExitCode> {
        let UpTo(epoch) = old;
        let needed = self.needed(old).await?;
        if needed.keys == 0 {
            println!("there are no keys up to epoch {epoch} but those that are their users' newest");
            return Ok(ExitCode::SUCCESS);
        }
        if check || !needed.by_none() {
            return Ok(report(&needed));
        }
        let wait = self.in_use_for();
        println!(
            "{} old keys are not needed; waiting {} s for what edges may just have sealed with them",
            needed.keys,
            wait.as_secs()
        );
        sleep(wait).await;
        let needed = self.needed(old).await?;
        if !needed.by_none() {
            return Ok(report(&needed));
        }
        println!("{} keys removed", self.maintenance().remove(old).await?);
        self.record(format!("epoch {epoch}")).await;
        Ok(ExitCode::SUCCESS)
    }

    async fn record(&self, name: String) {
        self.audit.record(Act::KeysRetired { name, operator: bootstrap::operator() }, None).await;
    }

    async fn needed(&self, old: UpTo) -> anyhow::Result<Needed> {
        Ok(self.maintenance().needed(old, &self.log, self.partitions).await?)
    }

    /// An edge has a key for so long, and then tries so long to publish what it has sealed.
    fn in_use_for(&self) -> Duration {
        self.key_cache + limits::PUBLISH
    }

    #[expect(clippy::print_stdout, reason = "it is the command's answer")]
    async fn retire_root(&self, root: &str) -> anyhow::Result<ExitCode> {
        let wrapped = self.maintenance().wrapped().await?;
        let users = wrapped.by_root.get(root).copied().unwrap_or(0);
        let place = self.roots.names().position(|name| name == root);
        let look_ups = wrapped.look_ups.as_deref() == Some(root);
        match (place, users) {
            (Some(0), _) => bail!("{root} is the first root and wraps new keys: set another before it"),
            (_, 1..) => {
                println!("{root} has wrapped the keys of {users} users: `natter keys rewrap` first");
                Ok(ExitCode::FAILURE)
            }
            (_, 0) if look_ups => {
                println!("{root} has wrapped the key of look-ups: `natter keys rewrap` first");
                Ok(ExitCode::FAILURE)
            }
            (Some(_), 0) => {
                println!(
                    "{root} has wrapped nothing that is stored: remove it from the settings of all workers"
                );
                self.record(root.to_owned()).await;
                Ok(ExitCode::SUCCESS)
            }
            (None, 0) => bail!("there is no root {root}, and nothing that it has wrapped"),
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is the command's answer")]
fn report(needed: &Needed) -> ExitCode {
    let Needed { store, log, parked, profiles, keys } = needed;
    println!(
        "{keys} old keys; {store} texts in the store, {log} in the log, {parked} parked ones and the profiles of {profiles} users are sealed \
         with them; nothing was removed"
    );
    if *store > 0 || *profiles > 0 {
        println!("`natter keys reseal` seals those in the store with newer keys");
    }
    if *log > 0 {
        println!("the log forgets them by itself, seven days after they were written");
    }
    if *parked > 0 {
        println!("`natter parked` persists or drops parked ones");
    }
    exit(needed.by_none())
}
