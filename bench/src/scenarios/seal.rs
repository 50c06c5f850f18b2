//! Sealing alone, without a chat around it: what a text costs the edges it passes, from the message as it was admitted to
//! the text that is shown. A load on whole servers cannot show some microseconds of several hundred.

use std::hint::black_box;

use anyhow::Context as _;
use natter_schemas::{
    codec,
    event::{Body, Event, Kind, Timestamp},
    id::{ConversationId, EventId, UserId},
};
use natter_seal::{Key, Place, open, seal};

use crate::{bench::Bench, outcome::Outcome, results::Metric, usage::own};

const CPU: Metric = Metric::lower("cpu", "CPU a message: sealed, written, read and opened once", "µs");
const SEALED: &str = "sealed";
const IN_CLEAR: &str = "in clear";
const EPOCH: u32 = 1;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Of a message's content.
    #[arg(long, default_value_t = 128)]
    pub bytes: usize,
    /// Sealed, in clear, sealed, in clear: so often each.
    #[arg(long, default_value_t = 5)]
    pub rounds: u32,
    /// Messages of a round.
    #[arg(long, default_value_t = 50_000)]
    pub messages: u32,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("seal");
    let setting = format!("{} B", args.bytes);
    let (key, event) = (Key::random()?, posted(&"x".repeat(args.bytes)));
    for _ in 0..args.rounds {
        for (name, key) in [(SEALED, Some(&key)), (IN_CLEAR, None)] {
            let before = own();
            for _ in 0..args.messages {
                black_box(shown(black_box(&event), key)?);
            }
            let spent = own() - before;
            let each = spent.cpu_seconds * 1e6 / f64::from(args.messages.max(1));
            outcome.results.add(("seal", &setting), CPU, name, each);
        }
    }
    outcome.steps.extend(bench.take_steps());
    Ok(outcome)
}

fn posted(text: &str) -> Event {
    Event {
        id: EventId::fresh(),
        conversation: ConversationId::fresh(),
        author: UserId::fresh(),
        device: "bench".to_owned(),
        client_id: Some("bench-1".to_owned()),
        at: Timestamp(0),
        kind: Kind::Posted { body: Body::Plain(text.to_owned()), reply_to: None },
        traceparent: None,
    }
}

/// The text after the way into the log and out of it.
fn shown(event: &Event, key: Option<&Key>) -> anyhow::Result<Body> {
    let mut sent = event.clone();
    if let (Some(key), Some(body)) = (key, sent.body_mut())
        && let Body::Plain(text) = body
    {
        *body = seal(text, &Place::of_event(event), EPOCH, key)?;
    }
    let mut seen = codec::decode(&codec::encode(&sent))?;
    let place = Place::of_event(&seen);
    let body = seen.body_mut().context("a message has a body")?;
    if let Some(key) = key {
        *body = Body::Plain(open(body, &place, key)?);
    }
    Ok(body.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_after_the_way_in_and_out() {
        let event = posted("Grüße");
        for key in [None, Some(&Key::random().unwrap())] {
            assert_eq!(shown(&event, key).unwrap(), Body::Plain("Grüße".to_owned()));
        }
    }
}
