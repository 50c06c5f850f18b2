//! Every frame after hello is answered: at once, or by a request that waits for a service. One file a verb.

mod send; // a message is posted
mod edit; // a message gets another text
mod delete; // a message is taken back
mod react; // a reaction is set or removed
mod command; //   what these four have in common: published, then acked
mod join; // typing and presence of a conversation begin
mod leave; // they end
mod typing; // passed on to those who joined
mod read; // a read mark moves
pub mod resume; // what a socket missed is sent again
mod ping; // the server's time
mod token; // the token is renewed in place

use std::sync::Arc;

use natter_schemas::{code::Code, frame::ClientFrame};

use self::command::Given;
use super::client::{Answer, Client};

/// Without a wildcard: a new kind of frame does not compile until it has its answer here.
pub async fn answer(client: &Arc<Client>, frame: ClientFrame) -> Answer {
    match frame {
        ClientFrame::Hello { .. } => Answer::Close(Code::ProtocolError),
        ClientFrame::Send { id, conversation_id, content, client_id, reply_to, retry, traceparent } => {
            let post = send::Post { content, client_id, reply_to, retry };
            send::answer(client, Given { id, conversation: conversation_id, traceparent }, post)
        }
        ClientFrame::Edit { id, conversation_id, seq, content, traceparent } => {
            edit::answer(client, Given { id, conversation: conversation_id, traceparent }, seq, content)
        }
        ClientFrame::Delete { id, conversation_id, seq, traceparent } => {
            delete::answer(client, Given { id, conversation: conversation_id, traceparent }, seq)
        }
        ClientFrame::React { id, conversation_id, seq, emoji, on, traceparent } => {
            react::answer(client, Given { id, conversation: conversation_id, traceparent }, seq, (emoji, on))
        }
        ClientFrame::Join { id, conversation_id } => join::answer(client, id, conversation_id),
        ClientFrame::Leave { id, conversation_id } => leave::answer(client, id, conversation_id),
        ClientFrame::Typing { id, conversation_id, is_typing } => {
            Box::pin(typing::answer(client, id, conversation_id, is_typing)).await
        }
        ClientFrame::Read { id, conversation_id, seq, unread } => {
            read::answer(client, id, conversation_id, (seq, unread))
        }
        ClientFrame::Resume { id, positions } => resume::answer(client, id, &positions),
        ClientFrame::Ping { id } => ping::answer(client, id),
        ClientFrame::Token { id, token } => Box::pin(token::answer(client, id, &token)).await,
    }
}
