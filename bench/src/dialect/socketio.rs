//! The seed node: Socket.IO on a raw WebSocket. A text is an Engine.IO v4 packet (`0` open, `2` ping, `3` pong,
//! `4` message), a message a Socket.IO packet (`0` connect, `2` event, `3` ack, `4` refused), an event a JSON
//! array with its name first. Messages are posted over HTTP; sockets join rooms and listen.

use natter_schemas::id::Seq;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{ClientIdentity, Dialect, HttpAck, OutgoingMessage, PASSWORD, ResumeState, ServerMessage};
use crate::{
    load::http::HttpRequest,
    oracle::{Guarantee, number_in},
};

const PONG: &str = "3";

pub struct SeedNode;

impl Dialect for SeedNode {
    fn guarantee(&self) -> Guarantee {
        Guarantee::Counted
    }

    fn path(&self) -> &'static str {
        "/socket.io/?EIO=4&transport=websocket"
    }

    fn first(&self, _: &ClientIdentity, _: Option<&ResumeState>) -> Option<String> {
        None
    }

    fn after_greeting(&self, who: &ClientIdentity) -> String {
        format!("40{}", json!({ "token": who.token }))
    }

    fn must_join(&self) -> bool {
        true
    }

    fn join(&self, nth: usize, room: &str) -> Option<String> {
        Some(format!("42{nth}{}", json!(["join", { "conversationId": room }])))
    }

    fn read<'a>(&self, text: &'a str) -> Option<ServerMessage<'a>> {
        let (kind, rest) = text.split_at_checked(1)?;
        match kind {
            "0" => Some(ServerMessage::Greeting),
            "2" => Some(ServerMessage::Ping(PONG)),
            "4" => packet(rest),
            "6" => Some(ServerMessage::Other),
            _ => None,
        }
    }

    fn send(&self, _: OutgoingMessage<'_>) -> Option<String> {
        None
    }

    fn typing(&self, room: &str) -> Option<String> {
        Some(format!("42{}", json!(["typing", { "conversationId": room, "isTyping": true }])))
    }

    fn post(
        &self,
        OutgoingMessage { number, room, content, .. }: OutgoingMessage<'_>,
    ) -> Option<HttpRequest> {
        let body = json!({ "conversationId": room, "content": content });
        let mut request = HttpRequest::post("/api/messages", body.to_string());
        request.headers = format!("idempotency-key: {number}\r\n");
        Some(request)
    }

    fn posted(&self, body: &str) -> Option<HttpAck> {
        let Posted { id } = serde_json::from_str(body).ok()?;
        Some(HttpAck { seq: 0, id: Some(id) })
    }

    fn post_read_mark(&self, room: &str) -> Option<HttpRequest> {
        Some(HttpRequest::post("/api/messages/read", json!({ "conversationId": room }).to_string()))
    }

    fn page(&self, room: &str) -> Option<HttpRequest> {
        Some(HttpRequest::get(format!("/api/messages?conversationId={room}&limit=50")))
    }

    fn login(&self, username: &str) -> Option<HttpRequest> {
        let body = json!({ "username": username, "password": PASSWORD });
        Some(HttpRequest::post("/api/auth/login", body.to_string()))
    }
}

/// A Socket.IO packet of the default namespace, without attachments.
fn packet(text: &str) -> Option<ServerMessage<'_>> {
    let (kind, rest) = text.split_at_checked(1)?;
    match kind {
        "0" => Some(ServerMessage::Welcome { epoch: None, prefix: None }),
        "2" => event(rest.trim_start_matches(|c: char| c.is_ascii_digit())),
        "3" => {
            let answer = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            Some(if answer.contains("\"ok\":true") {
                ServerMessage::Joined
            } else {
                ServerMessage::Rejected { number: None, code: "not joined" }
            })
        }
        "4" => Some(ServerMessage::Rejected { number: None, code: "not connected" }),
        _ => None,
    }
}

fn event(array: &str) -> Option<ServerMessage<'_>> {
    let (name, rest) = array.strip_prefix("[\"")?.split_once('"')?;
    if name != "message:new" {
        return Some(ServerMessage::Other);
    }
    let body = rest.strip_prefix(',')?.strip_suffix(']')?;
    let Message { conversation_id, content } = serde_json::from_str(body).ok()?;
    let none: Seq = 0;
    Some(ServerMessage::Event { room: conversation_id, seq: none, prev: none, number: number_in(content) })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    conversation_id: &'a str,
    /// What the bench writes needs no escapes.
    content: &'a str,
}

#[derive(Deserialize)]
struct Posted {
    id: Uuid,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn the_way_in_is_greeting_connect_and_join() {
        let who = ClientIdentity { token: "t".to_owned(), ..ClientIdentity::default() };
        assert_eq!(SeedNode.read(r#"0{"sid":"x","pingInterval":25000}"#), Some(ServerMessage::Greeting));
        assert_eq!(SeedNode.after_greeting(&who), r#"40{"token":"t"}"#);
        assert_eq!(
            SeedNode.read(r#"40{"sid":"y"}"#),
            Some(ServerMessage::Welcome { epoch: None, prefix: None })
        );
        let join = format!(r#"427["join",{{"conversationId":"{ROOM}"}}]"#);
        assert_eq!(SeedNode.join(7, ROOM), Some(join));
        assert_eq!(SeedNode.read(r#"437[{"ok":true}]"#), Some(ServerMessage::Joined));
    }

    #[test]
    fn a_ping_is_answered_with_a_pong() {
        assert_eq!(SeedNode.read("2"), Some(ServerMessage::Ping("3")));
    }

    #[test]
    fn a_message_is_found_among_events() {
        let text = format!(r#"42["message:new",{{"id":"i","conversationId":"{ROOM}","content":"n8 xx"}}]"#);
        let event = ServerMessage::Event { room: ROOM, seq: 0, prev: 0, number: Some(8) };
        assert_eq!(SeedNode.read(&text), Some(event));
        assert_eq!(SeedNode.read(r#"42["presence",{"userId":"u"}]"#), Some(ServerMessage::Other));
    }

    #[test]
    fn a_rejection_is_recognized() {
        let refused = |code| Some(ServerMessage::Rejected { number: None, code });
        assert_eq!(SeedNode.read(r#"44{"message":"unauthorized"}"#), refused("not connected"));
        assert_eq!(SeedNode.read(r#"431[{"ok":false,"error":"x"}]"#), refused("not joined"));
        assert_eq!(SeedNode.read("hello"), None);
    }
}
