//! `natter keys reseal`: stored addresses and names, then texts, sealed with their users' newest keys.

use std::{
    cell::Cell,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::ensure;
use natter_workers::services::keys::{Resealed, ResealedProfiles};

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
        let profiles = match args.after {
            None => Some(self.reseal_profiles(args).await?),
            // They were done before that.
            Some(_) => None,
        };
        let often = Often::default();
        let progress = |done: &Resealed| often.call(|| passed(done));
        let done = self.maintenance().reseal(args.after, args.rate, progress).await?;
        self.store.forget_replaced(args.rewrite).await?;
        let well = profiles.is_none_or(|profiles| report_profiles(&profiles));
        Ok(exit(report(&done) && well))
    }

    async fn reseal_profiles(&self, args: &ResealArgs) -> anyhow::Result<ResealedProfiles> {
        let often = Often::default();
        let progress = |done: &ResealedProfiles| often.call(|| passed_profiles(done));
        Ok(self.maintenance().reseal_profiles(args.after_user, args.rate, progress).await?)
    }
}

/// Calls at most once in [`EVERY`].
struct Often(Cell<Instant>);

impl Default for Often {
    fn default() -> Self {
        Self(Cell::new(Instant::now()))
    }
}

impl Often {
    fn call(&self, say: impl Fn()) {
        if self.0.get().elapsed() >= EVERY {
            self.0.set(Instant::now());
            say();
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is part of the command's answer")]
fn passed_profiles(done: &ResealedProfiles) {
    if let Some(last) = done.last {
        let (users, sealed) = (done.users(), done.sealed);
        println!("up to {last}: {users} users, {sealed} of them sealed; go on with --after-user {last}");
    }
}

#[expect(clippy::print_stdout, reason = "it is the command's answer")]
fn report_profiles(done: &ResealedProfiles) -> bool {
    let ResealedProfiles { sealed, unchanged, without_key, unopened, refused, .. } = done;
    println!(
        "addresses and names of {sealed} users sealed, {unchanged} were already, {without_key} have no key any more"
    );
    if *unopened > 0 || *refused > 0 {
        println!(
            "those of {unopened} users do not open: a root is not set, or they are damaged; {refused} stay as they were: \
             the account is being closed, or another account has the address"
        );
    }
    *unopened == 0 && *refused == 0
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
fn report(done: &Resealed) -> bool {
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
    *unopened == 0 && *unreadable == 0
}
