//! One conversation: found or made, then everything said in it that is not there yet, in order.

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
    person::Person,
    plan::{Draft, Room},
    server::OPEN,
    tally::Tally,
    words::Words,
};

pub struct Talk<'a> {
    people: &'a [Person],
    room: &'a Room,
    view: ConversationView,
    /// What an earlier run said, by its client id.
    said: HashMap<String, MessageView>,
}

/// Everything of a room.
pub async fn fill(people: &[Person], room: &Room, words: &Words, bar: &Bar) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let talk = Talk::open(people, room, &mut tally).await?;
    let mut seqs: Vec<Seq> = Vec::with_capacity(room.messages);
    for draft in room.drafts(words) {
        let message = talk.say(&draft, &seqs, &mut tally).await?;
        seqs.push(message.seq);
        talk.change(&draft, &message, &mut tally).await?;
        bar.add();
    }
    for (reader, read) in room.reads() {
        talk.read(&people[reader], seqs[read - 1], &mut tally).await?;
    }
    Ok(tally)
}

impl<'a> Talk<'a> {
    async fn open(people: &'a [Person], room: &'a Room, tally: &mut Tally) -> anyhow::Result<Self> {
        let owner = &people[room.members[0]];
        let found = match &room.name {
            Some(name) => owner.group(name).await?,
            None => None,
        };
        let (view, existed) = match found {
            Some(id) => (owner.get(&format!("/api/conversations/{id}")).await?, true),
            None => make(owner, people, room).await?,
        };
        tally.conversations.count(!existed);
        let said = if existed { history(owner, view.id).await? } else { HashMap::new() };
        Ok(Self { people, room, view, said })
    }

    /// The message, now or from an earlier run.
    async fn say(&self, draft: &Draft, seqs: &[Seq], tally: &mut Tally) -> anyhow::Result<MessageView> {
        tally.messages.count(!self.said.contains_key(&draft.client_id));
        if let Some(message) = self.said.get(&draft.client_id) {
            return Ok(message.clone());
        }
        let message = PostMessage {
            conversation_id: self.view.id,
            content: draft.content.clone(),
            client_id: Some(draft.client_id.clone()),
            reply_to: draft.reply_to.map(|number| seqs[number]),
        };
        let (sender, body) = (&self.people[draft.sender], serde_json::to_value(message)?);
        // A run that was stopped between sending and hearing of it sends the same client id again: one message.
        let answer = sender.call(Method::POST, "/api/messages", &body).await?;
        Ok(answer.json().await?)
    }

    /// Edits, reactions, deletion: those that are not there yet.
    async fn change(&self, draft: &Draft, message: &MessageView, tally: &mut Tally) -> anyhow::Result<()> {
        let path = format!("/api/conversations/{}/messages/{}", self.view.id, message.seq);
        let sender = &self.people[draft.sender];
        if let Some(content) = &draft.edited {
            let new = message.edited_at.is_none() && message.deleted_at.is_none();
            tally.edits.count(new);
            if new {
                sender.call(Method::PATCH, &path, &json!({"content": content})).await?;
            }
        }
        for (who, emoji) in &draft.reactions {
            let who = &self.people[*who];
            let there = |emoji: &str| {
                let same = message.reactions.iter().find(|reaction| reaction.emoji == emoji);
                same.is_some_and(|reaction| reaction.user_ids.contains(&who.id))
            };
            let new = message.deleted_at.is_none() && !there(emoji);
            tally.reactions.count(new);
            if new {
                who.call(Method::PUT, &format!("{path}/reactions/{emoji}"), &Value::Null).await?;
            }
        }
        if draft.deleted {
            tally.deletions.count(message.deleted_at.is_none());
            if message.deleted_at.is_none() {
                sender.call(Method::DELETE, &path, &Value::Null).await?;
            }
        }
        Ok(())
    }

    async fn read(&self, reader: &Person, seq: Seq, tally: &mut Tally) -> anyhow::Result<()> {
        let marks = self.view.participants.iter().flatten();
        let there = marks.into_iter().any(|mark| mark.user_id == reader.id && mark.read_seq >= seq);
        tally.reads.count(!there);
        if !there {
            let body = serde_json::to_value(MarkRead { conversation_id: self.view.id, seq })?;
            reader.call(Method::POST, "/api/messages/read", &body).await.with_context(|| {
                format!("reading in {}", self.room.name.as_deref().unwrap_or("a direct conversation"))
            })?;
        }
        Ok(())
    }
}

/// Opens it; direct conversations exist once by themselves.
async fn make(owner: &Person, people: &[Person], room: &Room) -> anyhow::Result<(ConversationView, bool)> {
    let create = CreateConversation {
        shape: room.shape,
        name: room.name.clone(),
        participant_ids: room.members[1..].iter().map(|member| people[*member].id).collect(),
    };
    let body = serde_json::to_value(create)?;
    let answer = owner.call(Method::POST, OPEN, &body).await?;
    let existed = room.shape == Shape::Direct && answer.status() == StatusCode::OK;
    Ok((answer.json().await?, existed))
}

async fn history(reader: &Person, id: ConversationId) -> anyhow::Result<HashMap<String, MessageView>> {
    let mut said = HashMap::new();
    let mut after = 0;
    loop {
        let path = format!("/api/messages?conversationId={id}&after={after}&limit=100");
        let page: MessagePage = reader.get(&path).await?;
        after = page.items.last().map_or(after, |message| message.seq);
        let named = page.items.into_iter().filter_map(|message| Some((message.client_id.clone()?, message)));
        said.extend(named);
        if !page.has_more {
            return Ok(said);
        }
    }
}
