//! Users, rooms and a bot that answers. Made through the public API, once: what is there already stays. They fit the
//! deployment's settings; what these do not allow at all is left out, with a warning.

use std::net::SocketAddr;

use anyhow::Context;
use natter_runtime::lifecycle::Lifecycle;
use natter_schemas::{
    event::Shape,
    id::{ConversationId, UserId},
    limits::Limits,
    rest::{AddParticipants, ConversationPage, CreateConversation, DemoPersonView, PostMessage, Register},
};
use tracing::warn;

use super::bot;
use crate::client::Client;

/// Everyone of the demo has it, unless the deployment wants a longer one.
const PASSWORD: &str = "natter-demo";
const PEOPLE: [(&str, &str); 2] = [("alice", "Alice"), ("bob", "Bob")];
const BOT: (&str, &str) = ("echo", "Echo (a bot)");
const GROUP: &str = "Natter";

/// Who may be logged in as.
pub struct Demo {
    pub people: Vec<DemoPersonView>,
    pub bot: DemoPersonView,
    limits: Limits,
}

impl Demo {
    pub fn new(limits: &Limits) -> Self {
        let person = |(username, display_name): (&str, &str)| DemoPersonView {
            username: cut(username, *limits.username.end()),
            display_name: cut(display_name, *limits.name.end()),
            password: format!("{PASSWORD:-<width$}", width = *limits.password.start()),
        };
        Self { people: PEOPLE.map(person).into(), bot: person(BOT), limits: limits.clone() }
    }

    pub async fn seed(&self, address: SocketAddr, lifecycle: &Lifecycle) {
        let url = format!("http://{address}");
        if let Err(error) = self.make(&url).await {
            warn!(error = format!("{error:#}"), "the demo is not complete");
        }
        let stop = lifecycle.stop().clone();
        let DemoPersonView { username, password, .. } = self.bot.clone();
        lifecycle.spawn("echo bot", async move {
            stop.run_until_cancelled(bot::run(url, &username, &password)).await;
        });
    }

    async fn make(&self, url: &str) -> anyhow::Result<()> {
        let alice = enter(url, &self.people[0]).await?;
        let bob = enter(url, &self.people[1]).await?;
        let echo = enter(url, &self.bot).await?;
        let page: ConversationPage = alice.get("/api/conversations?limit=100").await?;
        if page.items.iter().any(|conversation| conversation.shape == Shape::Group) {
            return Ok(());
        }
        // With ADD_BY=shared only who shares a conversation can be added to a group.
        let direct = alice.open_direct(bob.user()).await?;
        alice.open_direct(echo.user()).await?;
        bob.open_direct(echo.user()).await?;
        let group = self.group(&alice, &[bob.user(), echo.user()]).await?;
        for (number, (who, conversation, content)) in [
            (&alice, group, "Welcome! Every message here has its place in one log."),
            (&bob, group, "And no one misses a message, whatever they were doing."),
            (&alice, group, "Mention @echo and it answers."),
            (&bob, direct, "Hi Alice, this is just between us."),
        ]
        .into_iter()
        .enumerate()
        {
            // Named, so that a demo whose making was interrupted has none twice.
            let message = PostMessage {
                conversation_id: conversation,
                content: cut(content, self.limits.content),
                client_id: Some(format!("demo-{number}")),
                device_id: None,
                reply_to: None,
            };
            who.post_message(&message).await.with_context(|| format!("\"{content}\" cannot be posted"))?;
        }
        Ok(())
    }

    /// With as many of them as a group may have, added as many at once as a call may.
    async fn group(&self, owner: &Client, others: &[UserId]) -> anyhow::Result<ConversationId> {
        let others = &others[..others.len().min(self.limits.participants - 1)];
        let mut calls = others.chunks(self.limits.participants_per_call);
        let group = CreateConversation {
            shape: Shape::Group,
            name: Some(cut(GROUP, *self.limits.name.end())),
            participant_ids: calls.next().unwrap_or_default().to_vec(),
        };
        let group = owner.open(&group).await.context("the group cannot be made")?.id;
        for more in calls {
            owner.add(group, &AddParticipants { user_ids: more.to_vec() }).await?;
        }
        Ok(group)
    }
}

/// The beginning of an ASCII text.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

async fn enter(url: &str, person: &DemoPersonView) -> anyhow::Result<Client> {
    if let Ok(client) = Client::log_in(url, &person.username, &person.password).await {
        return Ok(client);
    }
    let account = Register {
        username: person.username.clone(),
        email: format!("{}@demo.example", person.username),
        password: person.password.clone(),
        display_name: Some(person.display_name.clone()),
    };
    Client::register(url, &account).await.with_context(|| {
        format!(
            "the demo user {} can neither log in nor register; if it has a password of its own, run without --demo \
             or with a new --data-dir",
            person.username
        )
    })
}
