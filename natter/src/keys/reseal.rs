//! `natter keys reseal`: stored texts sealed with their authors' newest keys.

use std::{
    cell::Cell,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::ensure;
use natter_workers::services::keys::Resealed;

use super::{Tool, exit};
use crate::cli::keys::ResealArgs;

/// Between two lines.
const EVERY: Duration = Duration::from_secs(1);

impl Tool {
    pub async fn reseal(&self, args: &ResealArgs) -> anyhow::Result<ExitCode> {
        ensure!(
            self.seals,
            "CHAT_ENCRYPTION_ENABLED is not true: what is written now is stored in clear; nothing was sealed"
        );
        let said = Cell::new(Instant::now());
        let progress = |done: &Resealed| {
            if said.get().elapsed() >= EVERY {
                said.set(Instant::now());
                passed(done);
            }
        };
        let done = self.maintenance().reseal(args.after, args.rate, progress).await?;
        self.store.forget_replaced(args.rewrite).await?;
        Ok(report(&done))
    }
}

/// Where to go on if it ends here.
#[expect(clippy::print_stdout, reason = "it is part of the command's answer")]
fn passed(done: &Resealed) {
    if let Some(last) = done.last {
        let (conversations, texts, sealed) = (done.conversations, done.texts(), done.sealed);
        println!(
            "up to {last}: {conversations} conversations, {texts} texts, {sealed} of them sealed; go on with --after {last}"
        );
    }
}

#[expect(clippy::print_stdout, reason = "it is the command's answer")]
fn report(done: &Resealed) -> ExitCode {
    let Resealed { conversations, sealed, unchanged, without_key, unopened, unreadable, .. } = done;
    println!(
        "{sealed} texts sealed in {conversations} conversations, {unchanged} were already, {without_key} have no key any more"
    );
    if *unopened > 0 || *unreadable > 0 {
        println!(
            "{unopened} texts do not open: a root is not set, or they are damaged; {unreadable} rows cannot be read"
        );
    }
    println!("the log has them as they were written, until it forgets them");
    exit(*unopened == 0 && *unreadable == 0)
}
