//! `typing`: passed on to those who joined the conversation. Only a refusal is answered.

use natter_schemas::{frame::RequestId, id::ConversationId};

use crate::socket::client::{Answer, Client};

pub async fn answer(
    client: &Client,
    id: Option<RequestId>,
    conversation: ConversationId,
    is_typing: bool,
) -> Answer {
    if let Err(error) = client.app.typing.pass_on(&client.socket, conversation, is_typing).await {
        client.send(&error.frame(id));
    }
    Answer::Done
}
