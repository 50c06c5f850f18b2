//! Natter's socket frames and HTTP bodies, as `docs/protocol.md` has them. The bare relay speaks the part of it
//! that a relay can.

use std::{
    borrow::Cow,
    fmt::{self, Display},
};

use natter_schemas::{
    frame::{ClientFrame, RequestId, Resume, SUBPROTOCOL},
    id::{ConversationId, EventId, Seq},
    rest::{Login, PostMessage},
};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use super::{ClientIdentity, Dialect, HttpAck, OutgoingMessage, PASSWORD, ResumeState, ServerMessage};
use crate::{
    load::http::HttpRequest,
    oracle::{Guarantee, Number, number_in},
};

pub struct Natter;

impl Dialect for Natter {
    fn guarantee(&self) -> Guarantee {
        Guarantee::Chained
    }

    fn path(&self) -> &'static str {
        "/ws"
    }

    fn subprotocol(&self) -> Option<&'static str> {
        Some(SUBPROTOCOL)
    }

    fn first(&self, who: &ClientIdentity, state: Option<&ResumeState>) -> Option<String> {
        let resume = state.map(|state| Resume {
            epoch: state.epoch.clone(),
            positions: state.positions.iter().filter_map(|(room, seq)| Some((id(room)?, *seq))).collect(),
        });
        let device_id = Some(who.device.clone());
        Some(json(&ClientFrame::Hello { id: None, token: who.token.clone(), device_id, resume }))
    }

    fn join(&self, nth: usize, room: &str) -> Option<String> {
        let id = i64::try_from(nth).ok().map(RequestId::Number);
        Some(json(&ClientFrame::Join { id, conversation_id: self::id(room)? }))
    }

    fn read<'a>(&self, text: &'a str) -> Option<ServerMessage<'a>> {
        // `type` comes first by contract, so the rest is parsed once, into what this type needs.
        let (kind, _) = text.strip_prefix("{\"type\":\"")?.split_once('"')?;
        Some(match kind {
            "message:new" => {
                let New { conversation_id: room, seq, prev_seq: prev, message } = parse(text)?;
                ServerMessage::Event {
                    room,
                    seq,
                    prev,
                    number: message.content.as_deref().and_then(number_in),
                }
            }
            "ack" => match parse::<Ack<'_>>(text)? {
                Ack { id: Some(number), seq: Some(seq), message_id, client_id_prefix: prefix } => {
                    ServerMessage::Acked { number, seq, id: message_id.map(uuid), prefix }
                }
                _ => ServerMessage::Other,
            },
            "error" => {
                let ErrorFrame { id, code } = parse(text)?;
                ServerMessage::Rejected { number: id, code }
            }
            "welcome" => {
                let Welcome { epoch, client_id_prefix: prefix } = parse(text)?;
                ServerMessage::Welcome { epoch, prefix }
            }
            "joined" => ServerMessage::Joined,
            "resume:done" => ServerMessage::ResumeDone,
            "resume:gap" => {
                let Gap { conversation_id: room, head_seq: head } = parse(text)?;
                ServerMessage::ResumeGap { room, head }
            }
            _ => match parse(text)? {
                EventPosition { conversation_id: Some(room), seq: Some(seq), prev_seq: Some(prev) } => {
                    ServerMessage::Event { room, seq, prev, number: None }
                }
                EventPosition { .. } => ServerMessage::Other,
            },
        })
    }

    fn texts<'a>(&self, message: &'a str) -> std::str::Split<'a, char> {
        message.split('\u{0}')
    }

    fn send(&self, message: OutgoingMessage<'_>) -> Option<String> {
        let OutgoingMessage { number, prefix, room, content } = message;
        // As `ClientFrame::Send` is written, without its owned strings: this is the generator's hottest line.
        let client_id = ClientId { prefix, number };
        Some(json(&Send { kind: "send", id: number, conversation_id: room, content, client_id }))
    }

    fn typing(&self, room: &str) -> Option<String> {
        Some(json(&ClientFrame::Typing { id: None, conversation_id: id(room)?, is_typing: true }))
    }

    fn read_mark(&self, room: &str, seq: Seq) -> Option<String> {
        Some(json(&ClientFrame::Read { id: None, conversation_id: id(room)?, seq, unread: false }))
    }

    fn post(&self, message: OutgoingMessage<'_>) -> Option<HttpRequest> {
        let OutgoingMessage { number, room, content, .. } = message;
        let body = PostMessage {
            conversation_id: id(room)?,
            content: content.to_owned(),
            client_id: None,
            device_id: None,
            reply_to: None,
        };
        let mut request = HttpRequest::post("/api/messages", json(&body));
        request.headers = format!("idempotency-key: {number}\r\n");
        Some(request)
    }

    fn posted(&self, body: &str) -> Option<HttpAck> {
        let Posted { id, seq } = parse(body)?;
        Some(HttpAck { seq, id: Some(uuid(id)) })
    }

    fn page(&self, room: &str) -> Option<HttpRequest> {
        Some(HttpRequest::get(format!("/api/messages?conversationId={room}&limit=50")))
    }

    fn login(&self, username: &str) -> Option<HttpRequest> {
        let body = Login { login: username.to_owned(), password: PASSWORD.to_owned() };
        Some(HttpRequest::post("/api/auth/login", json(&body)))
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("frames have string keys only")
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn id(room: &str) -> Option<ConversationId> {
    room.parse().ok()
}

fn uuid(id: EventId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Send<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: Number,
    conversation_id: &'a str,
    content: &'a str,
    client_id: ClientId<'a>,
}

/// With the newest prefix that the server gave: what else it begins with costs the server a look-up.
struct ClientId<'a> {
    prefix: &'a str,
    number: Number,
}

impl Display for ClientId<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}{}", self.prefix, self.number)
    }
}

impl Serialize for ClientId<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct New<'a> {
    conversation_id: &'a str,
    seq: Seq,
    prev_seq: Seq,
    #[serde(borrow)]
    message: Text<'a>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

/// Of a message; other requests of the load have no number.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ack<'a> {
    id: Option<Number>,
    seq: Option<Seq>,
    message_id: Option<EventId>,
    client_id_prefix: Option<&'a str>,
}

#[derive(Deserialize)]
struct ErrorFrame<'a> {
    id: Option<Number>,
    code: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Welcome<'a> {
    epoch: Option<&'a str>,
    client_id_prefix: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventPosition<'a> {
    conversation_id: Option<&'a str>,
    seq: Option<Seq>,
    prev_seq: Option<Seq>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gap<'a> {
    conversation_id: &'a str,
    head_seq: Seq,
}

#[derive(Deserialize)]
struct Posted {
    id: EventId,
    seq: Seq,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn what_is_sent_is_a_frame_of_the_contract() {
        let text =
            Natter.send(OutgoingMessage { number: 5, prefix: "p.", room: ROOM, content: "n5 xxx" }).unwrap();
        let frame: ClientFrame = serde_json::from_str(&text).unwrap();
        let ClientFrame::Send { id, conversation_id, content, client_id, .. } = frame else {
            panic!("{text}")
        };
        assert_eq!((id, content.as_str(), client_id.as_str()), (Some(RequestId::Number(5)), "n5 xxx", "p.5"));
        assert_eq!(conversation_id.to_string(), ROOM);
    }

    #[test]
    fn frames_are_read() {
        let message = format!(
            r#"{{"type":"message:new","conversationId":"{ROOM}","seq":9,"prevSeq":7,"message":{{"content":"n3 x"}}}}"#
        );
        assert_eq!(
            Natter.read(&message),
            Some(ServerMessage::Event { room: ROOM, seq: 9, prev: 7, number: Some(3) })
        );
        let ack = format!(r#"{{"type":"ack","id":3,"messageId":"{ROOM}","seq":9}}"#);
        let id = ROOM.parse().ok();
        assert_eq!(Natter.read(&ack), Some(ServerMessage::Acked { number: 3, seq: 9, id, prefix: None }));
        let ack = format!(r#"{{"type":"ack","id":3,"messageId":"{ROOM}","seq":9,"clientIdPrefix":"p2."}}"#);
        let acked = ServerMessage::Acked { number: 3, seq: 9, id, prefix: Some("p2.") };
        assert_eq!(Natter.read(&ack), Some(acked));
        let changed =
            format!(r#"{{"type":"member:changed","conversationId":"{ROOM}","seq":10,"prevSeq":9}}"#);
        assert_eq!(
            Natter.read(&changed),
            Some(ServerMessage::Event { room: ROOM, seq: 10, prev: 9, number: None })
        );
        assert_eq!(Natter.read(r#"{"type":"heads","positions":{}}"#), Some(ServerMessage::Other));
        let refused = ServerMessage::Rejected { number: Some(4), code: "rate_limited" };
        assert_eq!(Natter.read(r#"{"type":"error","id":4,"code":"rate_limited"}"#), Some(refused));
        assert_eq!(Natter.read("2"), None);
    }
}
