//! What holds in every state; and what has to be reached, or the check would be about nothing.

use stateright::Property;

use crate::{Delivery, Message, State};

/// Readers find every event: rows at or below the floor, the log above it.
fn history(state: &State) -> Vec<Option<Message>> {
    (1..=state.log.head()).map(|seq| state.persister.read(&state.log, seq)).collect()
}

pub fn always() -> Vec<Property<Delivery>> {
    vec![
        // A message is in the log once, however often it was sent.
        Property::always("no double", |_, State { log, .. }| {
            let distinct = |(at, message)| !log.events[..at].contains(message);
            log.events.iter().enumerate().all(distinct)
        }),
        // What the client took is the log up to its position.
        Property::always("no silent gap", |_, State { client, log, .. }| {
            log.events.get(..usize::from(client.position)) == Some(&client.taken)
        }),
        // What was acked is found by readers.
        Property::always("no loss", |_, state: &State| {
            let history = history(state);
            state.client.acked.iter().all(|message| history.contains(&Some(*message)))
        }),
        // Readers find every event at its seq.
        Property::always("no hole", |_, state: &State| {
            history(state).into_iter().eq(state.log.events.iter().copied().map(Some))
        }),
        // What a room sends chains.
        Property::always("no gap on the wire", |_, State { edge, .. }| !edge.room.skipped),
        // Once nothing is on its way, the log has everything, and the client has the log.
        Property::always("everything arrives", |model: &Delivery, state: &State| {
            let State { client, log, .. } = state;
            let arrived = log.head() == model.own + model.foreign
                && client.position == log.head()
                && client.outbox.is_empty();
            arrived || !model.is_settled(state)
        }),
    ]
}

pub fn reached() -> Vec<Property<Delivery>> {
    vec![
        Property::sometimes("a gap is found by the chain", |_, State { edge, .. }| {
            edge.room.repairing && !edge.room.waiting.is_empty()
        }),
        Property::sometimes("a gap is found by the head", |_, State { edge, .. }| {
            edge.room.repairing && edge.room.waiting.is_empty()
        }),
        Property::sometimes(
            "a gap is found by an event of another conversation",
            |model: &Delivery, state: &State| {
                let State { edge, log, .. } = state;
                let missing = edge.room.last.is_some_and(|last| last < log.head());
                model.elsewhere == 0 || missing && edge.arrivals.after_gap.is_some()
            },
        ),
        Property::sometimes("the window recognizes a repeat", |_, State { log, .. }| {
            log.attempts.iter().any(|attempt| log.window.contains(&attempt.message))
        }),
        Property::sometimes("a look-up recognizes a repeat", |_, State { edge, log, persister, .. }| {
            let found = |message| !log.window.contains(&message) && persister.find(log, message).is_some();
            edge.looking_up.is_some_and(found)
        }),
        Property::sometimes("everything arrives after all faults", |model: &Delivery, state: &State| {
            state.faults_left == 0 && model.is_settled(state)
        }),
    ]
}
