//! `natter trace`: what became of one message, from what each node remembers of it, the log, the store and the mirror.

mod gather; // everything that is known of it
mod print; // as lines and as JSON

pub use print::NO_NODE;

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context, bail};
use natter_schemas::id::{EventId, Origin};
use natter_store::Store;

use crate::{bootstrap, cli::trace::TraceArgs, operator::Operator, token};

#[expect(clippy::print_stdout, reason = "what was found is the command's answer")]
pub async fn run(args: &TraceArgs) -> anyhow::Result<ExitCode> {
    let operator = Operator::start().await?;
    let store = operator.store().await?;
    let found = async {
        let event = event_id(args, &operator, &store).await?;
        gather::gather(&operator, &*store, event, args.conversation).await
    };
    let found = found.await;
    bootstrap::close_store(&*store).await;
    let found = found?;
    if args.json {
        println!("{}", print::json(&found));
    } else {
        println!("{}", print::lines(&found));
    }
    if found.is_known() {
        return Ok(ExitCode::SUCCESS);
    }
    let event = found.event;
    if found.nodes.answers.is_empty() {
        bail!("no message {event}: {}", print::NO_NODE);
    }
    match args.conversation {
        Some(_) => bail!("no message {event}: no node remembers it, and the store does not have it"),
        None => bail!(
            "no message {event} is remembered by any node; with --conversation the store is asked for it too"
        ),
    }
}

async fn event_id(args: &TraceArgs, operator: &Operator, store: &Arc<dyn Store>) -> anyhow::Result<EventId> {
    let TraceArgs { id, user, device, conversation, .. } = args;
    let Some(named) = user else {
        return id.parse().with_context(|| {
            format!("{id} is no message id; the id that its sender gave it needs --user and --conversation")
        });
    };
    let conversation = conversation.context("--user needs --conversation")?;
    let sender = token::find(&operator.profiles(store).await?, named)
        .await?
        .with_context(|| format!("there is no user {named}"))?;
    let origin = Origin::Client { device, client_id: id };
    Ok(operator.deployment.event_key.event_id(sender.user.id, conversation, origin))
}
