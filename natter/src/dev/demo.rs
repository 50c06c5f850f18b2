//! Users, rooms and a bot that answers. Made through the public API, once: what is there already stays.

use std::net::SocketAddr;

use anyhow::Context;
use natter_runtime::lifecycle::Lifecycle;
use natter_schemas::{
    event::Shape,
    rest::{ConversationPage, CreateConversation, DemoPersonView, PostMessage, Register},
};

use super::bot;
use crate::client::Client;

pub struct Person {
    pub username: &'static str,
    display_name: &'static str,
}

/// Everyone of the demo has it.
pub const PASSWORD: &str = "natter-demo";
pub const PEOPLE: [Person; 2] =
    [Person { username: "alice", display_name: "Alice" }, Person { username: "bob", display_name: "Bob" }];
/// For the log-in page.
pub fn people() -> Vec<DemoPersonView> {
    let view = |person: &Person| DemoPersonView {
        username: person.username.to_owned(),
        display_name: person.display_name.to_owned(),
        password: PASSWORD.to_owned(),
    };
    PEOPLE.iter().map(view).collect()
}

const BOT: Person = Person { username: "echo", display_name: "Echo (a bot)" };

pub async fn seed(address: SocketAddr, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let url = format!("http://{address}");
    let alice = enter(&url, &PEOPLE[0]).await?;
    let bob = enter(&url, &PEOPLE[1]).await?;
    let echo = enter(&url, &BOT).await?;
    if alice.get::<ConversationPage>("/api/conversations?limit=1").await?.items.is_empty() {
        rooms(&alice, &bob, &echo).await?;
    }
    let stop = lifecycle.stop().clone();
    lifecycle.spawn("echo bot", async move {
        stop.run_until_cancelled(bot::run(url, BOT.username, PASSWORD)).await;
    });
    Ok(())
}

async fn enter(url: &str, person: &Person) -> anyhow::Result<Client> {
    if let Ok(client) = Client::log_in(url, person.username, PASSWORD).await {
        return Ok(client);
    }
    let account = Register {
        username: person.username.to_owned(),
        email: format!("{}@demo.example", person.username),
        password: PASSWORD.to_owned(),
        display_name: Some(person.display_name.to_owned()),
    };
    Client::register(url, &account).await.with_context(|| {
        format!(
            "the demo user {} can neither log in nor register; if it has a password of its own, run without --demo \
             or with a new --data-dir",
            person.username
        )
    })
}

async fn rooms(alice: &Client, bob: &Client, echo: &Client) -> anyhow::Result<()> {
    let group = CreateConversation {
        shape: Shape::Group,
        name: Some("Natter".to_owned()),
        participant_ids: vec![bob.user(), echo.user()],
    };
    let group = alice.open(&group).await?.id;
    let direct = alice.open_direct(bob.user()).await?;
    alice.open_direct(echo.user()).await?;
    bob.open_direct(echo.user()).await?;
    for (who, conversation_id, content) in [
        (alice, group, "Welcome! Every message here has its place in one log."),
        (bob, group, "And no one misses a message, whatever they were doing."),
        (alice, group, "Mention @echo and it answers."),
        (bob, direct, "Hi Alice, this is just between us."),
    ] {
        let content = content.to_owned();
        who.post_message(&PostMessage {
            conversation_id,
            content,
            client_id: None,
            device_id: None,
            reply_to: None,
        })
        .await?;
    }
    Ok(())
}
