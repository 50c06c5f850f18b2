//! Centrifugo's JSON protocol: commands with an id, replies with the same id, pushes without one; several a
//! WebSocket message, a line each. A room is a channel; publishing answers when the server has taken it.

use natter_schemas::id::Seq;
use serde::Deserialize;
use serde_json::json;

use super::{ClientIdentity, Dialect, HttpAck, OutgoingMessage, ResumeState, ServerMessage};
use crate::{
    load::http::HttpRequest,
    oracle::{Guarantee, Number, number_in},
};

/// Ids of the commands that are no message: above any number of a run.
const CONNECT: u32 = 4_000_000_000;
const JOIN: u32 = CONNECT + 1;

pub struct Centrifugo;

impl Dialect for Centrifugo {
    fn guarantee(&self) -> Guarantee {
        Guarantee::Counted
    }

    fn path(&self) -> &'static str {
        "/connection/websocket"
    }

    fn first(&self, _: &ClientIdentity, _: Option<&ResumeState>) -> Option<String> {
        Some(json!({ "id": CONNECT, "connect": {} }).to_string())
    }

    fn must_join(&self) -> bool {
        true
    }

    fn join(&self, nth: usize, room: &str) -> Option<String> {
        Some(json!({ "id": JOIN as usize + nth, "subscribe": { "channel": room } }).to_string())
    }

    fn read<'a>(&self, text: &'a str) -> Option<ServerMessage<'a>> {
        if text.is_empty() {
            return Some(ServerMessage::Other);
        }
        let reply: Reply<'a> = serde_json::from_str(text).ok()?;
        let none: Seq = 0;
        Some(match reply {
            Reply { id: None, push: None, .. } => ServerMessage::Ping("{}"),
            Reply { push: Some(Push { channel, publication: Some(Publication { data }) }), .. } => {
                ServerMessage::Event { room: channel, seq: none, prev: none, number: number_in(data) }
            }
            Reply { push: Some(_), .. } => ServerMessage::Other,
            Reply { id, error: Some(_), .. } => {
                ServerMessage::Rejected { number: id.filter(|id| *id < CONNECT), code: "error" }
            }
            Reply { id: Some(CONNECT), .. } => ServerMessage::Welcome { epoch: None, prefix: None },
            Reply { id: Some(number), .. } if number < CONNECT => {
                ServerMessage::Acked { number, seq: none, id: None, prefix: None }
            }
            Reply { .. } => ServerMessage::Joined,
        })
    }

    fn send(&self, OutgoingMessage { number, room, content, .. }: OutgoingMessage<'_>) -> Option<String> {
        Some(json!({ "id": number, "publish": { "channel": room, "data": content } }).to_string())
    }

    fn post(&self, _: OutgoingMessage<'_>) -> Option<HttpRequest> {
        None
    }

    fn posted(&self, _: &str) -> Option<HttpAck> {
        None
    }
}

#[derive(Deserialize)]
struct Reply<'a> {
    id: Option<Number>,
    #[serde(borrow)]
    push: Option<Push<'a>>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Push<'a> {
    channel: &'a str,
    #[serde(rename = "pub", borrow)]
    publication: Option<Publication<'a>>,
}

#[derive(Deserialize)]
struct Publication<'a> {
    data: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_pushes_and_pings_are_distinguished() {
        let read = |text| Centrifugo.read(text);
        assert_eq!(
            read(r#"{"id":4000000000,"connect":{"client":"x"}}"#),
            Some(ServerMessage::Welcome { epoch: None, prefix: None })
        );
        assert_eq!(read(r#"{"id":4000000003,"subscribe":{}}"#), Some(ServerMessage::Joined));
        assert_eq!(
            read(r#"{"id":5,"publish":{}}"#),
            Some(ServerMessage::Acked { number: 5, seq: 0, id: None, prefix: None })
        );
        assert_eq!(read("{}"), Some(ServerMessage::Ping("{}")));
        let push = ServerMessage::Event { room: "r", seq: 0, prev: 0, number: Some(9) };
        assert_eq!(read(r#"{"push":{"channel":"r","pub":{"data":"n9 x"}}}"#), Some(push));
        let refused = ServerMessage::Rejected { number: Some(5), code: "error" };
        assert_eq!(read(r#"{"id":5,"error":{"code":103}}"#), Some(refused));
    }
}
