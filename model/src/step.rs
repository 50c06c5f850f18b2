//! What may happen next.

use crate::{
    Attempt, Delivery, FOREIGN, Planted, Seq, State,
    client::{ClientFrame, ServerFrame},
    room::{Edge, LiveEvent, Republished},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The socket is open: the room begins, and what was missed is asked for.
    Connect,
    /// The room learns the head of its conversation, where it begins.
    Head,
    /// History answers with the room's head: to a comparison that an event began, or the watch.
    Compare,
    Send,
    Resume,
    /// The edge takes the client's next frame.
    TakeUp,
    /// History answers a look-up before a send.
    LookUp,
    /// The log takes an attempt.
    Store(Attempt),
    StoreForeign,
    StoreElsewhere,
    /// The edge takes the next live event.
    TakeLive,
    /// History answers the room's repair.
    Repair,
    /// History answers the socket's resume.
    AnswerResume,
    /// The client takes the edge's next frame.
    TakeDown,
    /// The persister stores the row after its floor.
    StoreRow,
    RaiseFloor,

    /// The duplicate window passes over a message.
    Forget(u8),
    /// An event that the store has leaves the log.
    Trim,
    /// The connection is cut, or its edge killed: the room ends with its last socket.
    Disconnect,
    /// The page is loaded again.
    Reload,
    LoseLive,
    /// An attempt is lost on its way to the log, or stored without an answer.
    LoseAttempt(Attempt),
    LoseAnswer(Attempt),
    /// History does not answer: a look-up, a comparison, a repair, a resume.
    LookUpFails,
    ComparisonFails,
    RepairFails,
    ResumeFails,
}

impl Step {
    pub fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Forget(_)
                | Self::Trim
                | Self::Disconnect
                | Self::Reload
                | Self::LoseLive
                | Self::LoseAttempt(_)
                | Self::LoseAnswer(_)
                | Self::LookUpFails
                | Self::ComparisonFails
                | Self::RepairFails
                | Self::ResumeFails
        )
    }
}

pub fn possible(model: &Delivery, state: &State, steps: &mut Vec<Step>) {
    let State { client, edge, log, persister, .. } = state;
    let mut add = |condition: bool, step: Step| {
        if condition {
            steps.push(step);
        }
    };
    add(!client.connected, Step::Connect);
    add(client.connected && edge.room.last.is_none(), Step::Head);
    let watched = client.connected && !model.is(Planted::HeadsNotWatched);
    let compares =
        edge.arrivals.comparing.is_some() || watched && edge.arrivals.is_behind(log.partition_head);
    add(compares && edge.room.last.is_some(), Step::Compare);
    add(client.may_send(), Step::Send);
    add(client.may_resume(), Step::Resume);
    // One send at a time is looked up; frames are taken in order.
    add(!client.up.is_empty() && edge.looking_up.is_none() && edge.resuming.is_none(), Step::TakeUp);
    add(edge.looking_up.is_some(), Step::LookUp);
    add(state.foreign_left > 0, Step::StoreForeign);
    add(state.elsewhere_left > 0, Step::StoreElsewhere);
    add(!edge.live.is_empty(), Step::TakeLive);
    add(edge.room.repairing, Step::Repair);
    add(edge.resuming.is_some() && edge.room.last.is_some(), Step::AnswerResume);
    add(!client.down.is_empty(), Step::TakeDown);
    add(persister.stored < log.head(), Step::StoreRow);
    let may_rise = if model.is(Planted::FloorBeforeRows) { log.head() } else { persister.stored };
    add(persister.floor < may_rise, Step::RaiseFloor);
    for attempt in &log.attempts {
        add(true, Step::Store(attempt.clone()));
    }
    if state.faults_left > 0 {
        faults(model, state, &mut add);
    }
}

fn faults(model: &Delivery, state: &State, add: &mut impl FnMut(bool, Step)) {
    let State { client, edge, log, persister, .. } = state;
    for message in &log.window {
        // No attempt is under way for longer than the window.
        add(log.attempts.iter().all(|attempt| attempt.message != *message), Step::Forget(*message));
    }
    let may_go =
        if model.is(Planted::TrimAboveFloor) { log.head() } else { persister.floor.min(persister.stored) };
    add(log.gone < may_go, Step::Trim);
    add(client.connected, Step::Disconnect);
    add(true, Step::Reload);
    add(!edge.live.is_empty(), Step::LoseLive);
    for attempt in &log.attempts {
        add(true, Step::LoseAttempt(attempt.clone()));
        add(attempt.awaited, Step::LoseAnswer(attempt.clone()));
    }
    add(edge.looking_up.is_some(), Step::LookUpFails);
    add(edge.arrivals.comparing.is_some(), Step::ComparisonFails);
    add(edge.room.repairing, Step::RepairFails);
    add(edge.resuming.is_some(), Step::ResumeFails);
}

pub fn take(model: &Delivery, state: &mut State, step: Step) {
    if step.is_fault() {
        state.faults_left -= 1;
        return fail(model, state, step);
    }
    let State { client, edge, log, persister, .. } = state;
    match step {
        Step::Connect => {
            client.connected = true;
            // The room begins at its head, which is read later: what is stored by now is not missed live.
            edge.arrivals.complete = log.partition_head;
            client.resume();
        }
        Step::Head => {
            let sent = edge.room.head(log.head());
            edge.show(&mut client.down, sent);
        }
        Step::Compare => {
            edge.arrivals.compared(log.partition_head);
            let sent = edge.room.head(log.head());
            edge.show(&mut client.down, sent);
        }
        Step::Send => client.send(model),
        Step::Resume => client.resume(),
        Step::TakeUp => match client.up.pop_front() {
            Some(ClientFrame::Resume { after }) => edge.resuming = Some(after),
            Some(ClientFrame::Send { message, retry }) if retry && !model.is(Planted::RepeatNotLookedUp) => {
                edge.looking_up = Some(message);
            }
            Some(ClientFrame::Send { message, .. }) => {
                log.attempts.insert(Attempt { message, awaited: true });
                if model.is(Planted::AckBeforeStored) {
                    client.down.push_back(ServerFrame::Ack { message });
                }
            }
            None => {}
        },
        Step::LookUp => {
            let Some(message) = edge.looking_up.take() else { return };
            if persister.find(log, message).is_some() {
                client.down.push_back(ServerFrame::Ack { message });
            } else {
                log.attempts.insert(Attempt { message, awaited: true });
            }
        }
        Step::TakeLive => {
            let Some(Republished { at, event }) = edge.live.pop_front() else { return };
            edge.arrivals.receive(at);
            let sent = event.map(|event| edge.room.receive(model, event)).unwrap_or_default();
            edge.show(&mut client.down, sent);
        }
        Step::Repair => {
            let sent = edge.room.replay(persister, log);
            edge.show(&mut client.down, sent);
        }
        Step::AnswerResume => edge.resume(&mut client.down, persister, log),
        Step::TakeDown => {
            if let Some(frame) = client.down.pop_front() {
                client.receive(model, &frame);
            }
        }
        _ => take_log(state, step),
    }
}

/// What the log and the persister do.
fn take_log(state: &mut State, step: Step) {
    match step {
        Step::Store(attempt) => {
            state.log.attempts.remove(&attempt);
            let message = attempt.message;
            store(state, message);
            if attempt.awaited {
                state.client.down.push_back(ServerFrame::Ack { message });
            }
        }
        Step::StoreForeign => {
            let message = FOREIGN + state.foreign_left;
            state.foreign_left -= 1;
            store(state, message);
        }
        Step::StoreElsewhere => {
            state.elsewhere_left -= 1;
            state.log.partition_head += 1;
            republish(state, None);
        }
        Step::StoreRow => state.persister.stored += 1,
        Step::RaiseFloor => state.persister.floor += 1,
        _ => {}
    }
}

fn fail(model: &Delivery, state: &mut State, step: Step) {
    let State { client, edge, log, .. } = state;
    match step {
        Step::Forget(message) => drop(log.window.remove(&message)),
        Step::Trim => log.gone += 1,
        Step::LoseLive => drop(edge.live.pop_front()),
        Step::LoseAttempt(attempt) => {
            log.attempts.remove(&attempt);
            no_answer(state, &attempt);
        }
        Step::LoseAnswer(attempt) => {
            // The edge asks the log again, under the same id, and then gives up: the client's own attempts follow.
            log.attempts.remove(&attempt);
            log.attempts.insert(Attempt { awaited: false, ..attempt.clone() });
            no_answer(state, &attempt);
        }
        Step::LookUpFails => {
            let Some(message) = edge.looking_up.take() else { return };
            if model.is(Planted::LookUpFailureIgnored) {
                log.attempts.insert(Attempt { message, awaited: true });
            } else {
                client.down.push_back(ServerFrame::Error { message });
            }
        }
        Step::ComparisonFails => edge.arrivals.comparison_failed(model),
        // It is tried again.
        Step::RepairFails => edge.room.repairing = !model.is(Planted::FailedRepairEnds),
        Step::ResumeFails => {
            edge.resuming = None;
            // What waited would leave a gap.
            edge.held.clear();
            client.down.push_back(ServerFrame::ResumeFailed);
        }
        Step::Disconnect | Step::Reload => {
            if step == Step::Reload {
                client.reloaded(model);
            } else {
                client.disconnected();
            }
            *edge = Edge::default();
            let attempts = std::mem::take(&mut log.attempts);
            log.attempts =
                attempts.into_iter().map(|attempt| Attempt { awaited: false, ..attempt }).collect();
        }
        _ => {}
    }
}

/// The client is refused with `unavailable`, and sends again.
fn no_answer(state: &mut State, attempt: &Attempt) {
    if attempt.awaited {
        state.client.down.push_back(ServerFrame::Error { message: attempt.message });
    }
}

/// A new event is republished to whoever listens.
fn store(state: &mut State, message: u8) {
    let Some(seq) = state.log.store(message) else { return };
    let prev: Seq = seq - 1;
    republish(state, Some(LiveEvent { seq, prev, message }));
}

fn republish(state: &mut State, event: Option<LiveEvent>) {
    if state.client.connected {
        state.edge.live.push_back(Republished { at: state.log.partition_head, event });
    }
}
