//! One conversation: found or opened, then every planned message that it lacks, in order.

use std::collections::HashMap;

use anyhow::Context;
use natter_schemas::{
    event::Shape,
    id::{ConversationId, Seq},
    rest::{ConversationView, CreateConversation, MarkRead, MessagePage, MessageView, PostMessage},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::progress::Bar;

use super::{
    api::CONVERSATIONS,
    plan::{PlannedConversation, PlannedMessage},
    report::SeedReport,
    user::SeededUser,
    words::Words,
};

pub struct ConversationSeeder<'a> {
    users: &'a [SeededUser],
    plan: &'a PlannedConversation,
    view: ConversationView,
    /// What an earlier run posted, by client id.
    existing: HashMap<String, MessageView>,
}

/// Brings one conversation to its plan.
pub async fn fill(
    users: &[SeededUser],
    plan: &PlannedConversation,
    words: &Words,
    bar: &Bar,
) -> anyhow::Result<SeedReport> {
    let mut report = SeedReport::default();
    let seeder = ConversationSeeder::open(users, plan, &mut report).await?;
    let mut seqs: Vec<Seq> = Vec::with_capacity(plan.message_count);
    for planned in plan.messages(words) {
        let message = seeder.post(&planned, &seqs, &mut report).await?;
        seqs.push(message.seq);
        seeder.apply_changes(&planned, &message, &mut report).await?;
        bar.add();
    }
    for (reader, read) in plan.reads() {
        seeder.mark_read(&users[reader], seqs[read - 1], &mut report).await?;
    }
    Ok(report)
}

impl<'a> ConversationSeeder<'a> {
    async fn open(
        users: &'a [SeededUser],
        plan: &'a PlannedConversation,
        report: &mut SeedReport,
    ) -> anyhow::Result<Self> {
        let owner = &users[plan.members[0]];
        let found = match &plan.name {
            Some(name) => owner.group(name).await?,
            None => None,
        };
        let (view, existed) = match found {
            Some(id) => (owner.get(&format!("/api/conversations/{id}")).await?, true),
            None => create(owner, users, plan).await?,
        };
        report.conversations.record(!existed);
        let existing = if existed { history(owner, view.id).await? } else { HashMap::new() };
        Ok(Self { users, plan, view, existing })
    }

    /// The message, posted now or by an earlier run.
    async fn post(
        &self,
        planned: &PlannedMessage,
        seqs: &[Seq],
        report: &mut SeedReport,
    ) -> anyhow::Result<MessageView> {
        report.messages.record(!self.existing.contains_key(&planned.client_id));
        if let Some(message) = self.existing.get(&planned.client_id) {
            return Ok(message.clone());
        }
        let message = PostMessage {
            conversation_id: self.view.id,
            content: planned.content.clone(),
            client_id: Some(planned.client_id.clone()),
            device_id: None,
            reply_to: planned.reply_to.map(|number| seqs[number]),
        };
        let (sender, body) = (&self.users[planned.sender], serde_json::to_value(message)?);
        // A run stopped between the request and its answer sends the same client id again: one message.
        let answer = sender.send(Method::POST, "/api/messages", &body).await?;
        Ok(answer.json().await?)
    }

    /// Edits, reactions and the deletion, as far as they are missing.
    async fn apply_changes(
        &self,
        planned: &PlannedMessage,
        message: &MessageView,
        report: &mut SeedReport,
    ) -> anyhow::Result<()> {
        let path = format!("/api/conversations/{}/messages/{}", self.view.id, message.seq);
        let sender = &self.users[planned.sender];
        if let Some(content) = &planned.edited {
            let new = message.edited_at.is_none() && message.deleted_at.is_none();
            report.edits.record(new);
            if new {
                sender.send(Method::PATCH, &path, &json!({"content": content})).await?;
            }
        }
        for (user, emoji) in &planned.reactions {
            let user = &self.users[*user];
            let has_reaction = |emoji: &str| {
                let same = message.reactions.iter().find(|reaction| reaction.emoji == emoji);
                same.is_some_and(|reaction| reaction.user_ids.contains(&user.id))
            };
            let new = message.deleted_at.is_none() && !has_reaction(emoji);
            report.reactions.record(new);
            if new {
                user.send(Method::PUT, &format!("{path}/reactions/{emoji}"), &Value::Null).await?;
            }
        }
        if planned.deleted {
            report.deletions.record(message.deleted_at.is_none());
            if message.deleted_at.is_none() {
                sender.send(Method::DELETE, &path, &Value::Null).await?;
            }
        }
        Ok(())
    }

    async fn mark_read(&self, reader: &SeededUser, seq: Seq, report: &mut SeedReport) -> anyhow::Result<()> {
        let marks = self.view.participants.iter().flatten();
        let marked = marks.into_iter().any(|mark| mark.user_id == reader.id && mark.read_seq >= seq);
        report.reads.record(!marked);
        if !marked {
            let body = serde_json::to_value(MarkRead { conversation_id: self.view.id, seq, unread: false })?;
            reader.send(Method::POST, "/api/messages/read", &body).await.with_context(|| {
                format!("reading in {}", self.plan.name.as_deref().unwrap_or("a direct conversation"))
            })?;
        }
        Ok(())
    }
}

/// A direct conversation that exists is returned by the server instead of a second one.
async fn create(
    owner: &SeededUser,
    users: &[SeededUser],
    plan: &PlannedConversation,
) -> anyhow::Result<(ConversationView, bool)> {
    let create = CreateConversation {
        shape: plan.shape,
        name: plan.name.clone(),
        participant_ids: plan.members[1..].iter().map(|member| users[*member].id).collect(),
    };
    let body = serde_json::to_value(create)?;
    let answer = owner.send(Method::POST, CONVERSATIONS, &body).await?;
    let existed = plan.shape == Shape::Direct && answer.status() == StatusCode::OK;
    Ok((answer.json().await?, existed))
}

async fn history(reader: &SeededUser, id: ConversationId) -> anyhow::Result<HashMap<String, MessageView>> {
    let mut existing = HashMap::new();
    let mut after = 0;
    loop {
        let path = format!("/api/messages?conversationId={id}&after={after}&limit=100");
        let page: MessagePage = reader.get(&path).await?;
        after = page.items.last().map_or(after, |message| message.seq);
        let named = page.items.into_iter().filter_map(|message| Some((message.client_id.clone()?, message)));
        existing.extend(named);
        if !page.has_more {
            return Ok(existing);
        }
    }
}
