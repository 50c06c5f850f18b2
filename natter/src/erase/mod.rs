//! `natter erase`: accounts closed by an operator, and receipts of what was erased.

mod receipt; // what is said about an erasure

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use natter_edge::Keys;
use natter_nats::clock::LogClock;
use natter_runtime::lifecycle::Lifecycle;
use natter_schemas::{audit::Act, id::UserId};
use natter_store::{Erasure, Store};
use natter_workers::{
    close,
    erasure::{Record, Step},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    bootstrap,
    cli::{
        erase::{CheckArgs, EraseCommand, ReceiptArgs, UserArgs},
        target::Target,
    },
    operator::Operator,
};
use receipt::{Receipt, TYPE};

/// How often it is looked how far workers are.
const LOOK: Duration = Duration::from_millis(200);
/// Without a step for so long, it is said what is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn run(command: &EraseCommand, target: &Target) -> anyhow::Result<ExitCode> {
    let operator = Operator::start(target).await?;
    if let EraseCommand::Check(args) = command {
        return check(&operator, args);
    }
    let store = operator.store().await?;
    let tool = Tool { operator: &operator, store };
    let done = match command {
        EraseCommand::User(args) => tool.user(args).await,
        EraseCommand::Receipt(args) => tool.receipt(args).await,
        EraseCommand::Check(_) => Ok(()),
    };
    bootstrap::close_store(&*tool.store).await;
    done.map(|()| ExitCode::SUCCESS)
}

struct Tool<'a> {
    operator: &'a Operator,
    store: Arc<dyn Store>,
}

impl Tool<'_> {
    async fn user(&self, args: &UserArgs) -> anyhow::Result<()> {
        // Before anything is done that cannot be undone.
        let keys = if args.no_wait { None } else { Some(self.keys()?) };
        let user = self.find(&args.user).await?;
        let lifecycle = Lifecycle::new();
        let clock = LogClock::start(self.operator.js.clone(), lifecycle.tracker(), lifecycle.stop().clone())
            .await
            .context("the log's time is not known")?;
        let publisher = self.operator.publisher().await?;
        ensure!(
            close::account(&*self.store, &publisher, user, clock.now()).await?,
            "there is no user {}",
            args.user
        );
        let audit = bootstrap::audit_of_command(self.operator.settings(), "erase")?;
        audit.record(Act::UserErased { user, operator: Some(bootstrap::operator()) }, None).await;
        audit.close().await;
        say(&format!("{user}: the account is closed, and its sessions have ended"));
        let Some(keys) = keys else { return Ok(()) };
        let erasure = self.wait(user).await?;
        self.print(&erasure, &keys)
    }

    async fn receipt(&self, args: &ReceiptArgs) -> anyhow::Result<()> {
        let keys = self.keys()?;
        let erasure = self.store.erasure(args.user).await?;
        let erasure = erasure.with_context(|| format!("no erasure of {} was asked for", args.user))?;
        if !erasure.done {
            let next = Record::read(&erasure.record)?.next().map_or("nothing", Step::name);
            bail!("the erasure of {} is not done yet; its next step: {next}", args.user);
        }
        self.print(&erasure, &keys)
    }

    /// Says each step that workers have done.
    async fn wait(&self, user: UserId) -> anyhow::Result<Erasure> {
        let (mut said, mut repeated, mut moved) = (0, 0, Instant::now());
        loop {
            let erasure = self.store.erasure(user).await?.context("its request is gone")?;
            let record = Record::read(&erasure.record)?;
            if record.repeated > repeated {
                say("something came meanwhile: all steps are done again");
                (said, repeated) = (0, record.repeated);
            }
            for step in record.steps.iter().skip(said) {
                say(&format!("done: {}", step.name()));
                moved = Instant::now();
            }
            said = record.steps.len();
            if erasure.done {
                return Ok(erasure);
            }
            if moved.elapsed() > PATIENCE {
                say("waiting for a worker with the job erasures; it is safe to stop waiting, workers go on");
                moved = Instant::now();
            }
            sleep(LOOK).await;
        }
    }

    fn keys(&self) -> anyhow::Result<Keys> {
        Keys::new(&self.operator.settings().token_keys)
    }

    #[expect(clippy::print_stdout, reason = "it is the command's answer")]
    fn print(&self, erasure: &Erasure, keys: &Keys) -> anyhow::Result<()> {
        let receipt = Receipt::of(erasure, self.operator.settings())?;
        let jws = keys.sign(TYPE, &receipt)?;
        println!("{}", serde_json::to_string_pretty(&json!({"receipt": receipt, "jws": jws}))?);
        Ok(())
    }

    /// By id; what is no id is a username or an email address.
    async fn find(&self, named: &str) -> anyhow::Result<UserId> {
        let found = match named.parse::<UserId>() {
            Ok(id) => self.store.users(&[id]).await?.pop().map(|user| user.id),
            Err(_) => {
                let profiles = self.operator.profiles(&self.store).await?;
                profiles.credentials(named).await?.map(|found| found.user.id)
            }
        };
        found
            .with_context(|| format!("there is no user {named}, or the account is closed: name it by its id"))
    }
}

#[expect(clippy::print_stdout, reason = "it is the command's answer")]
fn check(operator: &Operator, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let keys = Keys::new(&operator.settings().token_keys)?;
    let text = std::fs::read_to_string(&args.file)
        .with_context(|| format!("{} cannot be read", args.file.display()))?;
    let printed: serde_json::Value = serde_json::from_str(&text).context("it is no receipt")?;
    let jws = printed["jws"].as_str().context("it is no receipt: it has no jws")?;
    let signed: serde_json::Value = keys.open(TYPE, jws)?;
    ensure!(printed["receipt"] == signed, "the receipt is not what was signed");
    println!("{}", serde_json::to_string_pretty(&signed)?);
    Ok(ExitCode::SUCCESS)
}

/// Beside the receipt, which is all that goes to standard output.
#[expect(clippy::print_stderr, reason = "how far the command is")]
fn say(text: &str) {
    eprintln!("{text}");
}
