use std::fmt::Write;

use natter_schemas::event::{Body, Event, Kind};
use natter_workers::parked::Parked;
use serde_json::{Value, json};

pub const HEADER: &str = "number  parked at                 job       partition  seq         reason";

pub fn line(parked: &Parked) -> String {
    let at = parked.at.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
    let seq = parked.seq.map_or_else(|| "unknown".to_owned(), |seq| seq.to_string());
    let Parked { number, job, partition, reason, .. } = parked;
    format!("{number:<6}  {at:<24}  {job:<8}  {:<9}  {seq:<10}  {reason}", partition.0)
}

/// Where in the log it was.
pub fn place(parked: &Parked) -> String {
    match parked.seq {
        Some(seq) => format!("partition {}, seq {seq}", parked.partition),
        None => format!("partition {}", parked.partition),
    }
}

/// The fields of `line`, with a name for each.
pub fn json(parked: &Parked) -> Value {
    json!({
        "number": parked.number,
        "parkedAt": parked.at,
        "job": parked.job,
        "partition": parked.partition.0,
        "seq": parked.seq,
        "reason": parked.reason,
    })
}

pub fn whole(parked: &Parked, content: bool) -> Value {
    let mut all = json(parked);
    all["subject"] = json!(parked.subject);
    all["bytes"] = json!(parked.payload.len());
    match parked.decode() {
        Ok(event) => all["event"] = json!(if content { event } else { without_content(event) }),
        Err(error) => {
            all["undecodable"] = json!(error.to_string());
            all["payload"] = json!(hex(&parked.payload));
        }
    }
    all
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What people wrote becomes its length.
fn without_content(mut event: Event) -> Event {
    let hide = |text: &mut String| *text = format!("({} bytes)", text.len());
    match &mut event.kind {
        Kind::Posted { body, .. } | Kind::Edited { body, .. } => match body {
            Body::Plain(text) => hide(text),
            Body::Sealed { ciphertext, .. } => ciphertext.clear(),
        },
        Kind::Reacted { emoji, .. } => hide(emoji),
        Kind::Renamed { name } | Kind::Created { name: Some(name), .. } => hide(name),
        Kind::Created { name: None, .. }
        | Kind::Deleted { .. }
        | Kind::MemberAdded { .. }
        | Kind::MemberRemoved { .. }
        | Kind::RoleChanged { .. } => {}
    }
    event
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        event::{Shape, Timestamp},
        id::{ConversationId, EventId, Partition, UserId},
    };

    use super::*;

    fn parked(kind: Kind) -> Parked {
        let event = Event {
            id: EventId::fresh(),
            conversation: ConversationId::fresh(),
            author: UserId::fresh(),
            device: "phone".to_owned(),
            client_id: None,
            at: Timestamp(1),
            kind,
            traceparent: None,
        };
        Parked {
            number: 3,
            at: Some(Timestamp(2)),
            job: "persist".to_owned(),
            partition: Partition(1),
            seq: Some(9),
            subject: None,
            reason: "for a test".to_owned(),
            proof: None,
            payload: natter_schemas::codec::encode(&event).into(),
        }
    }

    #[test]
    fn what_people_wrote_is_shown_only_when_asked_for() {
        let secret = || "secret".to_owned();
        for kind in [
            Kind::Posted { body: Body::Plain(secret()), reply_to: None },
            Kind::Edited { target: 1, body: Body::Plain(secret()) },
            Kind::Reacted { target: 1, emoji: secret(), on: true },
            Kind::Renamed { name: secret() },
            Kind::Created { shape: Shape::Group, name: Some(secret()), members: Vec::new() },
        ] {
            let parked = parked(kind);
            let [closed, open] = [false, true].map(|content| whole(&parked, content).to_string());
            assert!(!closed.contains("secret") && closed.contains("(6 bytes)"), "{closed}");
            assert!(open.contains("secret"), "{open}");
        }
    }

    #[test]
    fn a_payload_that_is_no_event_is_shown_byte_by_byte() {
        let mut parked = parked(Kind::Deleted { target: 1 });
        parked.payload = vec![0xff, 0x00].into();
        let shown = whole(&parked, false);
        assert_eq!((&shown["payload"], shown.get("event")), (&json!("ff00"), None));
    }
}
