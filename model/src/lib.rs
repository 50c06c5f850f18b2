//! The way of a message as a model that is checked exhaustively: a client's outbox and position, an edge's room with its
//! repair of gaps, the log with its duplicate window, and a persister with its floor. Everything that may happen at once
//! happens in every order, and faults at every point; `tests/delivery.rs` has how many.
//!
//! One conversation, one client, which sends and receives, and other people, who only send, there or in another conversation of
//! the same partition. What the model leaves out:
//! time (an attempt on its way to the log does not outlive the duplicate window, which is five minutes; nothing leaves
//! the log before it is in the store, which has a week), and the end of the log's life (an epoch).

mod arrivals;
mod client;
mod history;
mod log;
mod properties;
mod room;
mod step;

use stateright::{Model, Property};

pub use arrivals::Arrivals;
pub use client::{Client, OutboxEntry};
pub use history::Persister;
pub use log::{Attempt, Log};
pub use room::{Edge, Room};
pub use step::Step;

/// Of an event in the log; the first is 1.
pub type Seq = u8;

/// Names what its sender sent, however often it is sent: the client's own are below [`FOREIGN`].
pub type Message = u8;

/// From here on messages are of other people.
pub const FOREIGN: Message = 100;

/// An error that is planted: the check has to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A client takes whatever is above its position.
    ClientIgnoresPrevSeq,
    /// A room sends whatever is above its last event.
    RoomIgnoresPrevSeq,
    /// No one looks whether the log's head has arrived.
    HeadsNotWatched,
    /// Rooms that could not be compared with their heads are not compared again.
    FailedComparisonCounts,
    /// A repair that failed is not tried again.
    FailedRepairEnds,
    /// The floor rises before the rows are there.
    FloorBeforeRows,
    /// The log loses what is not in the store yet.
    TrimAboveFloor,
    /// A repeat relies on the duplicate window alone.
    RepeatNotLookedUp,
    /// A repeat is published while history does not answer.
    LookUpFailureIgnored,
    /// What is read from storage is sent as if it were new.
    ReloadForgetsAttempts,
    /// An entry leaves the outbox when it is sent.
    OutboxEmptiedBySending,
    /// An edge acks what it has published and the log has not stored yet.
    AckBeforeStored,
}

/// What may happen, and how often.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The client sends so many messages.
    pub own: u8,
    /// Other people send so many.
    pub foreign: u8,
    /// Other people send so many in another conversation of the partition.
    pub elsewhere: u8,
    /// So many faults, of any kind.
    pub faults: u8,
    pub planted: Option<Planted>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub client: Client,
    pub edge: Edge,
    pub log: Log,
    pub persister: Persister,
    /// Messages of other people that are not in the log yet.
    pub foreign_left: u8,
    pub elsewhere_left: u8,
    pub faults_left: u8,
}

impl Delivery {
    pub fn is(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    /// Nothing is on its way any more: without another fault, nothing more happens.
    fn is_settled(&self, state: &State) -> bool {
        let mut steps = Vec::new();
        self.actions(state, &mut steps);
        steps.into_iter().all(|step| step.is_fault() || self.next_state(state, step).is_none())
    }
}

impl Model for Delivery {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            client: Client::new(self.own),
            edge: Edge::default(),
            log: Log::default(),
            persister: Persister::default(),
            foreign_left: self.foreign,
            elsewhere_left: self.elsewhere,
            faults_left: self.faults,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        step::possible(self, state, steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        step::take(self, &mut next, step);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        [properties::always(), properties::reached()].concat()
    }
}
