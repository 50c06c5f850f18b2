//! The generator against the real relay: what it sends arrives, and the oracle has nothing to say.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{Generator, Plan, Seat, Stats, Turn, Wiring};
use crate::{
    check::Fault,
    dialect::{Natter, Persona},
};

const PATIENCE: Duration = Duration::from_mins(1);

/// Two rooms of two sockets each; the token of a hello names the room.
fn wiring(at: SocketAddr) -> Wiring {
    let rooms: Vec<String> = (1..=2).map(|n| uuid::Uuid::from_u128(n).to_string()).collect();
    let seats = (0..4_u32).map(|socket| {
        let room = socket / 2;
        let who = Persona { token: rooms[room as usize].clone(), ..Persona::default() };
        Seat { who, place: 0, rooms: vec![(room, 0)] }
    });
    Wiring {
        dialect: &Natter,
        sockets: vec![at],
        http: at,
        seats: seats.collect(),
        rooms,
        join: false,
        small_buffers: false,
        core: None,
    }
}

fn everybody() -> Arc<[Turn]> {
    (0..4).map(|socket| Turn { socket, room: socket / 2 }).collect()
}

/// A step against a relay, then whatever a test wants to do with the engine.
fn step(plan: Plan, after: impl FnOnce(&mut super::Engine) + Send + 'static) -> (Stats, Vec<Fault>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let at = listener.local_addr().unwrap();
    runtime.spawn(crate::bare::relay(listener));
    let generator = Generator::start(wiring(at)).unwrap();
    let outcome = generator.begin(move |engine| {
        engine.open(&[0, 1, 2, 3], None, PATIENCE).unwrap();
        let stats = engine.step(&plan);
        after(engine);
        (stats, engine.verdict())
    });
    outcome.unwrap().recv().unwrap()
}

fn plan() -> Plan {
    Plan::new(200.0, Duration::from_millis(200), 64, everybody())
}

#[test]
fn everything_sent_is_acked_and_shown_to_the_whole_room() {
    let (stats, faults) = step(plan(), |_| {});
    assert_eq!(faults, []);
    assert_eq!((stats.planned, stats.sent, stats.acked, stats.delivered), (40, 40, 40, 80));
    let counts = [stats.ack_ms.count, stats.delivery_ms.count, stats.last_ms.count];
    assert_eq!(counts, [40, 40, 40], "acks, deliveries to others, last ones");
}

#[test]
fn whoever_is_cut_off_and_not_sent_what_was_missed_is_noticed() {
    let quiet = Plan { settle: false, ..plan() };
    let (_, faults) = step(plan(), move |engine| {
        engine.cut(&[1]);
        engine.step(&quiet);
        while !engine.only_waits_for_the_absent() {
            engine.turn(Duration::from_millis(10));
        }
    });
    let missed = faults.iter().filter(|fault| matches!(fault, Fault::NotDelivered { to: 1, .. })).count();
    assert_eq!(missed, 10, "{faults:?}");
}
