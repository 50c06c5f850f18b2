//! `natter keys`: the keys that content is sealed with, wrapped by another root, followed by new ones, or removed.

mod reseal; // stored texts follow new keys
mod retire; // old keys go

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use natter_nats::{log::LogReader, publisher::Publisher};
use natter_runtime::audit::Audit;
use natter_schemas::{audit::Act, id::UserId};
use natter_store::Store;
use natter_workers::services::{
    keys::{Done, Maintenance, Roots, Wrapped},
    profiles::Profiles,
};
use serde_json::json;

use crate::{
    bootstrap,
    cli::{
        keys::{KeysCommand, RotateArgs, StatusArgs},
        target::Target,
    },
    operator::Operator,
    progress::Bar,
};

pub async fn run(command: &KeysCommand, target: &Target) -> anyhow::Result<ExitCode> {
    let operator = Operator::start(target).await?;
    let roots = bootstrap::roots(&operator.settings().encryption)?;
    let roots = roots.context("there is no root of keys: CHAT_MESSAGE_KEY or CHAT_KMS_URL is missing")?;
    let (store, publisher) = (operator.store().await?, operator.publisher().await?);
    let audit = bootstrap::audit_of_command(operator.settings(), "keys")?;
    let encryption = &operator.settings().encryption;
    let (seals, key_cache) = (encryption.enabled, encryption.key_cache);
    let (log, partitions) = (operator.log.clone(), operator.deployment.partitions);
    let profiles = operator.profiles(&store).await?;
    let tool = Tool { store, profiles, roots, publisher, audit, log, partitions, seals, key_cache };
    let done = match command {
        KeysCommand::Status(args) => tool.status(args).await,
        KeysCommand::Rewrap(args) => tool.rewrap(args.again).await,
        KeysCommand::Rotate(args) => tool.rotate(args).await,
        KeysCommand::Reseal(args) => tool.reseal(args).await,
        KeysCommand::Retire(args) => tool.retire(args).await,
    };
    tool.audit.close().await;
    bootstrap::close_store(&*tool.store).await;
    done
}

struct Tool {
    store: Arc<dyn Store>,
    profiles: Profiles,
    roots: Roots,
    publisher: Publisher,
    audit: Audit,
    log: LogReader,
    partitions: u16,
    /// Whether new texts are sealed.
    seals: bool,
    /// How long processes use a data key.
    key_cache: Duration,
}

impl Tool {
    fn maintenance(&self) -> Maintenance<'_> {
        Maintenance { store: &*self.store, roots: &self.roots, publisher: &self.publisher }
    }

    #[expect(clippy::print_stdout, reason = "it is the command's answer")]
    async fn status(&self, args: &StatusArgs) -> anyhow::Result<ExitCode> {
        let wrapped = self.maintenance().wrapped().await?;
        let roots: Vec<Line> = self.lines(&wrapped);
        if args.json {
            let roots =
                roots.iter().map(|line| json!({"root": line.root, "users": line.users, "use": line.used()}));
            println!("{}", json!({"roots": roots.collect::<Vec<_>>(), "lookUps": wrapped.look_ups}));
        } else {
            for line in &roots {
                println!("{}: {} users, {}", line.root, line.users, line.used());
            }
            if let Some(root) = &wrapped.look_ups {
                println!("the key of look-ups: {root}");
            }
        }
        Ok(exit(roots.iter().all(|line| line.at.is_some())))
    }

    /// Those that are set, in their order, then the others.
    fn lines(&self, wrapped: &Wrapped) -> Vec<Line> {
        let set = self.roots.names().map(str::to_owned).enumerate();
        let mut lines: Vec<Line> = set
            .map(|(at, root)| Line {
                users: wrapped.by_root.get(&root).copied().unwrap_or(0),
                root,
                at: Some(at),
            })
            .collect();
        for (root, users) in &wrapped.by_root {
            if lines.iter().all(|line| line.root != *root) {
                lines.push(Line { root: root.clone(), users: *users, at: None });
            }
        }
        lines
    }

    async fn rewrap(&self, again: bool) -> anyhow::Result<ExitCode> {
        let bar = Bar::new("wrapped", self.users().await?)?;
        let done = self.maintenance().rewrap(again, |done| bar.to(done.looked_at())).await?;
        bar.end();
        let Done { changed, unopened, .. } = done;
        let act = Act::UserKeysRewrapped { changed, unopened, operator: bootstrap::operator() };
        self.audit.record(act, None).await;
        Ok(report("wrapped by the first root", &done))
    }

    async fn rotate(&self, args: &RotateArgs) -> anyhow::Result<ExitCode> {
        if let Some(user) = &args.user {
            let user = self.user(user).await?;
            let done = self.maintenance().rotate_user(user).await?;
            self.rotated(Some(user), &done).await;
            return Ok(report("have a new data key", &done));
        }
        let bar = Bar::new("rotated", self.users().await?)?;
        let progress = |done: &Done| {
            bar.to(done.looked_at());
            passed(done);
        };
        let done = self.maintenance().rotate(args.after, progress).await?;
        bar.end();
        self.rotated(None, &done).await;
        Ok(report("have a new data key", &done))
    }

    async fn rotated(&self, user: Option<UserId>, done: &Done) {
        let Done { changed, unopened, .. } = *done;
        let act = Act::DataKeysRotated { user, changed, unopened, operator: bootstrap::operator() };
        self.audit.record(act, None).await;
    }

    async fn users(&self) -> anyhow::Result<u64> {
        Ok(self.maintenance().wrapped().await?.by_root.values().sum())
    }

    async fn user(&self, name: &str) -> anyhow::Result<UserId> {
        let found = match name.parse::<UserId>() {
            Ok(id) => self.store.credentials_of(id).await?,
            Err(_) => self.profiles.credentials(name).await?,
        };
        Ok(found.with_context(|| format!("there is no user {name}"))?.user.id)
    }
}

/// One root of the status.
struct Line {
    root: String,
    users: u64,
    /// Its place among those that are set.
    at: Option<usize>,
}

impl Line {
    const fn used(&self) -> &'static str {
        match self.at {
            Some(0) => "wraps new keys",
            Some(_) => "unwraps only",
            None => "not set",
        }
    }
}

/// Where to go on if it ends here.
#[expect(clippy::print_stdout, reason = "it is part of the command's answer")]
fn passed(done: &Done) {
    if let Some(last) = done.last {
        println!("up to {last}: {} users; go on with --after {last}", done.looked_at());
    }
}

#[expect(clippy::print_stdout, reason = "it is the command's answer")]
fn report(what: &str, done: &Done) -> ExitCode {
    let Done { changed, unchanged, unopened, .. } = done;
    println!(
        "{changed} users {what}, {unchanged} stay as they were, {unopened} have a key that no root which is set opens"
    );
    exit(*unopened == 0)
}

fn exit(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
