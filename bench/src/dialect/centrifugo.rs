//! Centrifugo's JSON protocol: commands with an id, replies with the same id, pushes without one; several a
//! WebSocket message, a line each. A room is a channel; publishing answers when the server has taken it.

use natter_schemas::id::Seq;
use serde::Deserialize;
use serde_json::json;

use super::{Dialect, Heard, Held, Letter, Persona, Receipt};
use crate::{
    check::{Number, Promise, number_in},
    load::http::Ask,
};

/// Ids of the commands that are no message: above any number of a run.
const CONNECT: u32 = 4_000_000_000;
const JOIN: u32 = CONNECT + 1;

pub struct Centrifugo;

impl Dialect for Centrifugo {
    fn promise(&self) -> Promise {
        Promise::Counted
    }

    fn path(&self) -> &'static str {
        "/connection/websocket"
    }

    fn first(&self, _: &Persona, _: Option<&Held>) -> Option<String> {
        Some(json!({ "id": CONNECT, "connect": {} }).to_string())
    }

    fn must_join(&self) -> bool {
        true
    }

    fn join(&self, nth: usize, room: &str) -> Option<String> {
        Some(json!({ "id": JOIN as usize + nth, "subscribe": { "channel": room } }).to_string())
    }

    fn read<'a>(&self, text: &'a str) -> Option<Heard<'a>> {
        if text.is_empty() {
            return Some(Heard::Other);
        }
        let reply: Reply<'a> = serde_json::from_str(text).ok()?;
        let none: Seq = 0;
        Some(match reply {
            Reply { id: None, push: None, .. } => Heard::Ping("{}"),
            Reply { push: Some(Push { channel, publication: Some(Publication { data }) }), .. } => {
                Heard::Event { room: channel, seq: none, prev: none, number: number_in(data) }
            }
            Reply { push: Some(_), .. } => Heard::Other,
            Reply { id, error: Some(_), .. } => {
                Heard::Refused { number: id.filter(|id| *id < CONNECT), code: "error" }
            }
            Reply { id: Some(CONNECT), .. } => Heard::Welcome { epoch: None },
            Reply { id: Some(number), .. } if number < CONNECT => {
                Heard::Acked { number, seq: none, id: None }
            }
            Reply { .. } => Heard::Joined,
        })
    }

    fn send(&self, Letter { number, room, content }: Letter<'_>) -> Option<String> {
        Some(json!({ "id": number, "publish": { "channel": room, "data": content } }).to_string())
    }

    fn post(&self, _: Letter<'_>) -> Option<Ask> {
        None
    }

    fn posted(&self, _: &str) -> Option<Receipt> {
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
    fn replies_pushes_and_pings_are_told_apart() {
        let read = |text| Centrifugo.read(text);
        assert_eq!(
            read(r#"{"id":4000000000,"connect":{"client":"x"}}"#),
            Some(Heard::Welcome { epoch: None })
        );
        assert_eq!(read(r#"{"id":4000000003,"subscribe":{}}"#), Some(Heard::Joined));
        assert_eq!(read(r#"{"id":5,"publish":{}}"#), Some(Heard::Acked { number: 5, seq: 0, id: None }));
        assert_eq!(read("{}"), Some(Heard::Ping("{}")));
        let push = Heard::Event { room: "r", seq: 0, prev: 0, number: Some(9) };
        assert_eq!(read(r#"{"push":{"channel":"r","pub":{"data":"n9 x"}}}"#), Some(push));
        let refused = Heard::Refused { number: Some(5), code: "error" };
        assert_eq!(read(r#"{"id":5,"error":{"code":103}}"#), Some(refused));
    }
}
