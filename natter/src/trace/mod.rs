//! `natter trace`: what became of one message, from what each node remembers of it, the log, the store and the mirror.

mod gather; // everything that is known of it
mod print; // as lines and as JSON

pub use print::NO_NODE;

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context, bail, ensure};
use natter_schemas::{
    codec,
    id::{ConversationId, EventId, Origin, Partition, Seq},
};
use natter_store::Store;

use crate::{bootstrap, cli::trace::TraceArgs, operator::Operator, token};
use gather::{Found, Named};

#[expect(clippy::print_stdout, reason = "what was found is the command's answer")]
pub async fn run(args: &TraceArgs) -> anyhow::Result<ExitCode> {
    let operator = Operator::start(&args.target).await?;
    let store = operator.store().await?;
    let found = async {
        let named = named(args, &operator, &store).await?;
        anyhow::Ok((gather::gather(&operator, &*store, &named).await?, named))
    };
    let found = found.await;
    bootstrap::close_store(&*store).await;
    let (found, named) = found?;
    if let Some(conversation) = named.conversation {
        let logged = found.logged().map(|event| event.conversation);
        is_in(conversation, logged, found.place, operator.deployment.partitions)
            .with_context(|| format!("message {}", found.event))?;
    }
    if args.json {
        println!("{}", print::json(&found));
    } else {
        println!("{}", print::lines(&found));
    }
    if !found.is_known() {
        bail!("{}", unknown(args, &found, &named));
    }
    Ok(ExitCode::SUCCESS)
}

/// A conversation that was named is the message's, as far as the log shows or, when that has forgotten it, its partition.
fn is_in(
    named: ConversationId,
    logged: Option<ConversationId>,
    place: Option<(Partition, Seq)>,
    partitions: u16,
) -> anyhow::Result<()> {
    if let Some(is) = logged {
        ensure!(is == named, "it is in conversation {is}, not in {named}");
    }
    if let Some((partition, seq)) = place {
        let of = Partition::of(named, partitions);
        ensure!(
            of == partition,
            "it was seq {seq} of partition {partition}, and conversation {named} is in partition {of}"
        );
    }
    Ok(())
}

/// Why nothing was found, as far as that can be said.
fn unknown(args: &TraceArgs, found: &Found, named: &Named) -> String {
    let event = found.event;
    if found.nodes.answers.is_empty() {
        return format!("no message {event}: {}", print::NO_NODE);
    }
    if let Some(user) = &args.user {
        let (id, device) = (&args.id, &args.device);
        return format!(
            "no message of {user} with clientId {id} from device {device:?} in this conversation: no node remembers one, \
             and the store has none; --device is the deviceId of its sender's hello, and empty for HTTP"
        );
    }
    match named.conversation {
        Some(_) => format!("no message {event}: no node remembers it, and the store does not have it"),
        None => format!(
            "no message {event} is remembered by any node; with --conversation the store is asked for it too"
        ),
    }
}

async fn named(args: &TraceArgs, operator: &Operator, store: &Arc<dyn Store>) -> anyhow::Result<Named> {
    let TraceArgs { id, user, device, conversation, .. } = args;
    let Some(user) = user else {
        // Ids are written in lower case, whatever they were copied from.
        let lower = id.to_ascii_lowercase();
        if let Some((conversation, seq)) = place(&lower) {
            let event = event_at(operator, &**store, conversation, seq).await?;
            let partition = Partition::of(conversation, operator.deployment.partitions);
            return Ok(Named { event, conversation: Some(conversation), place: Some((partition, seq)) });
        }
        let event = lower.parse().with_context(|| {
            format!(
                "{id} is neither a message id nor a link to a message; the id that its sender gave it needs \
                 --user and --conversation"
            )
        })?;
        return Ok(Named { event, conversation: *conversation, place: None });
    };
    let conversation = conversation.context("--user needs --conversation")?;
    let sender = token::find(&operator.profiles(store).await?, user)
        .await?
        .with_context(|| format!("there is no user {user}"))?;
    let origin = Origin::Client { device, client_id: id };
    let event = operator.deployment.event_key.event_id(sender.user.id, conversation, origin);
    Ok(Named { event, conversation: Some(conversation), place: None })
}

/// Of a link as the web client copies it, `…/c/CONVERSATION/SEQ`, or of its end.
fn place(link: &str) -> Option<(ConversationId, Seq)> {
    let (conversation, seq) = link.rsplit_once('/')?;
    let conversation = conversation.rsplit('/').next()?;
    Some((conversation.parse().ok()?, seq.parse().ok()?))
}

/// From the log, and from the store what the log has forgotten.
async fn event_at(
    operator: &Operator,
    store: &dyn Store,
    conversation: ConversationId,
    seq: Seq,
) -> anyhow::Result<EventId> {
    let partition = Partition::of(conversation, operator.deployment.partitions);
    let logged = operator.log.stored_at(partition, seq).await?;
    let logged = logged.and_then(|message| codec::decode(&message.payload).ok());
    if let Some(event) = logged.filter(|event| event.conversation == conversation) {
        return Ok(event.id);
    }
    let stored = store.message(conversation, seq, seq).await?;
    Ok(stored.with_context(|| format!("conversation {conversation} has no message with seq {seq}"))?.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_conversation_is_seen_by_its_partition_too() {
        let conversation = ConversationId::fresh();
        let mine = Partition::of(conversation, 4);
        let other = Partition((mine.0 + 1) % 4);
        assert!(is_in(conversation, None, None, 4).is_ok());
        assert!(is_in(conversation, Some(conversation), Some((mine, 15)), 4).is_ok());
        assert!(is_in(conversation, None, Some((mine, 15)), 4).is_ok());
        let forgotten = is_in(conversation, None, Some((other, 15)), 4).unwrap_err().to_string();
        assert!(forgotten.starts_with(&format!("it was seq 15 of partition {other}")), "{forgotten}");
        let logged = is_in(conversation, Some(ConversationId::fresh()), Some((other, 15)), 4).unwrap_err();
        assert!(logged.to_string().contains("it is in conversation"), "{logged}");
    }

    #[test]
    fn a_link_to_a_message_names_its_place() {
        let conversation = ConversationId::fresh();
        for link in [format!("{conversation}/15"), format!("https://chat.example.org/c/{conversation}/15")] {
            assert_eq!(place(&link), Some((conversation, 15)), "{link}");
        }
        let id = EventId::fresh();
        for other in
            [id.to_string(), format!("/c/{conversation}"), format!("{conversation}/x"), "/15".to_owned()]
        {
            assert_eq!(place(&other), None, "{other}");
        }
    }
}
