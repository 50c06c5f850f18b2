//! A socket on the command line: prints every frame, sends every line.

use anyhow::Context;
use natter_schemas::{
    frame::ClientFrame,
    id::{ConversationId, EventId},
    rest::{Items, UserView},
};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{cli::ConnectArgs, client::Client};

#[expect(clippy::print_stdout, reason = "printing frames is what the command does")]
pub async fn run(args: &ConnectArgs) -> anyhow::Result<()> {
    let (username, password) =
        args.login.split_once(':').context("--login is not of the form username:password")?;
    let client = Client::log_in(&args.url, username, password).await?;
    let to = match &args.to {
        Some(to) => Some(destination(&client, to).await?),
        None => None,
    };
    let mut socket = client.socket("natter-connect", None).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut more = true;
    loop {
        tokio::select! {
            frame = socket.next_text() => match frame? {
                Some(text) => println!("{text}"),
                None => return Ok(()),
            },
            line = lines.next_line(), if more => match line? {
                Some(line) => {
                    if let Some(frame) = frame(&line, to)? {
                        socket.send_text(frame).await?;
                    }
                }
                // The end of a pipe ends the command; a terminal or /dev/null may stay and listen.
                None => more = false,
            },
            () = std::future::ready(()), if !more => return Ok(()),
        }
    }
}

/// A JSON line goes out as it is; any other is a message.
fn frame(line: &str, to: Option<ConversationId>) -> anyhow::Result<Option<String>> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(None);
    }
    if line.starts_with('{') {
        return Ok(Some(line.to_owned()));
    }
    let conversation_id = to.context("a line that is not JSON needs --to")?;
    let frame = ClientFrame::Send {
        id: None,
        conversation_id,
        content: line.to_owned(),
        client_id: EventId::fresh().to_string(),
        reply_to: None,
        retry: false,
        traceparent: None,
    };
    Ok(Some(serde_json::to_string(&frame)?))
}

async fn destination(client: &Client, to: &str) -> anyhow::Result<ConversationId> {
    if let Ok(conversation) = to.parse() {
        return Ok(conversation);
    }
    let found: Items<UserView> = client.get(&format!("/api/users?query={to}&limit=50")).await?;
    let user = found.items.into_iter().find(|user| user.username == to);
    client.open_direct(user.with_context(|| format!("there is no user {to}"))?.id).await
}
