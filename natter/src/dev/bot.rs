//! A bot that answers messages sent to it: a client like any other, over the public socket. It resumes where
//! it was and gives each answer the id of the message it answers as its clientId, so nothing is answered twice.

use std::{collections::HashSet, time::Duration};

use natter_schemas::{
    event::Shape,
    frame::{ClientFrame, Positions, Resume, ServerFrame},
    id::{ConversationId, UserId},
    rest::{ConversationPage, MessageView},
};
use tracing::debug;

use crate::client::{Client, Socket};

const AGAIN: Duration = Duration::from_secs(1);
const MENTION: &str = "@echo";

#[derive(Default)]
struct Memory {
    epoch: String,
    positions: Positions,
    direct: HashSet<ConversationId>,
}

/// Runs until it is dropped.
pub async fn run(url: String, username: &str, password: &str) {
    let mut memory = Memory::default();
    loop {
        if let Err(error) = Box::pin(session(&url, username, password, &mut memory)).await {
            debug!(error = format!("{error:#}"), "the bot lost its socket");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn session(url: &str, username: &str, password: &str, memory: &mut Memory) -> anyhow::Result<()> {
    let client = Client::log_in(url, username, password).await?;
    let resume = Resume { epoch: memory.epoch.clone(), positions: memory.positions.clone() };
    let mut socket = client.socket("echo-bot", (!memory.epoch.is_empty()).then_some(resume)).await?;
    let page: ConversationPage = client.get("/api/conversations?limit=100").await?;
    for conversation in page.items {
        memory.positions.entry(conversation.id).or_insert(conversation.head_seq);
        if conversation.shape == Shape::Direct {
            memory.direct.insert(conversation.id);
        }
    }
    while let Some(frame) = socket.next().await? {
        handle(&mut socket, client.user(), memory, frame).await?;
    }
    Ok(())
}

async fn handle(
    socket: &mut Socket,
    me: UserId,
    memory: &mut Memory,
    frame: ServerFrame,
) -> anyhow::Result<()> {
    match frame {
        ServerFrame::Welcome { epoch, .. } => memory.epoch = epoch,
        ServerFrame::ConversationAdded { conversation } => {
            memory.positions.insert(conversation.id, conversation.head_seq);
            if conversation.shape == Shape::Direct {
                memory.direct.insert(conversation.id);
            }
        }
        ServerFrame::ResumeGap { conversation_id, head_seq } => {
            memory.positions.insert(conversation_id, head_seq);
        }
        ServerFrame::MessageNew { position, message } => {
            memory.positions.insert(position.conversation_id, position.seq);
            let direct = memory.direct.contains(&position.conversation_id);
            if message.sender_id != me
                && let Some(content) = answer(&message, direct)
            {
                let frame = ClientFrame::Send {
                    id: None,
                    conversation_id: position.conversation_id,
                    content,
                    client_id: message.id.to_string(),
                    reply_to: Some(message.seq),
                    retry: false,
                    traceparent: None,
                };
                socket.send(&frame).await?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// In a direct conversation everything, in a group what mentions it.
fn answer(message: &MessageView, direct: bool) -> Option<String> {
    let content = message.content.as_deref()?;
    let text = content.replace(MENTION, "");
    let text: String = text.trim().chars().take(500).collect();
    (direct || content.contains(MENTION)).then(|| format!("echo: {text}"))
}
