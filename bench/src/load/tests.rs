//! The generator against the real relay: what it sends arrives, and the oracle finds no violation.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{ClientSpec, Generator, GeneratorConfig, Plan, Sender, Stats};
use crate::{
    dialect::{ClientIdentity, Natter},
    oracle::Violation,
};

const PATIENCE: Duration = Duration::from_mins(1);

/// Two rooms of two sockets each; the token of a hello names the room.
fn generator_config(at: SocketAddr) -> GeneratorConfig {
    let rooms: Vec<String> = (1..=2).map(|n| uuid::Uuid::from_u128(n).to_string()).collect();
    let clients = (0..4_u32).map(|socket| {
        let room = socket / 2;
        let who = ClientIdentity { token: rooms[room as usize].clone(), ..ClientIdentity::default() };
        ClientSpec { who, address: 0, rooms: vec![(room, 0)] }
    });
    GeneratorConfig {
        dialect: &Natter,
        sockets: vec![at],
        http: at,
        clients: clients.collect(),
        rooms,
        join: false,
        small_buffers: false,
        core: None,
    }
}

fn all_senders() -> Arc<[Sender]> {
    (0..4).map(|socket| Sender { socket, room: socket / 2 }).collect()
}

/// A step against a relay, then whatever a test wants to do with the engine.
fn step(plan: Plan, after: impl FnOnce(&mut super::Engine) + Send + 'static) -> (Stats, Vec<Violation>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let at = listener.local_addr().unwrap();
    runtime.spawn(crate::bare::relay(listener));
    let generator = Generator::start(generator_config(at)).unwrap();
    let outcome = generator.begin(move |engine| {
        engine.open(&[0, 1, 2, 3], None, PATIENCE).unwrap();
        let stats = engine.step(&plan);
        after(engine);
        (stats, engine.report())
    });
    outcome.unwrap().recv().unwrap()
}

fn plan() -> Plan {
    Plan::new(200.0, Duration::from_millis(200), 64, all_senders())
}

#[test]
fn everything_sent_is_acked_and_shown_to_the_whole_room() {
    let (stats, violations) = step(plan(), |_| {});
    assert_eq!(violations, []);
    assert_eq!((stats.planned, stats.sent, stats.acked, stats.delivered), (40, 40, 40, 80));
    let counts = [stats.ack_ms.count, stats.delivery_ms.count, stats.last_ms.count];
    assert_eq!(counts, [40, 40, 40], "acks, deliveries to others, last ones");
}

#[test]
fn a_client_that_is_not_sent_what_it_missed_is_noticed() {
    let quiet = Plan { settle: false, ..plan() };
    let (_, violations) = step(plan(), move |engine| {
        engine.cut(&[1]);
        engine.step(&quiet);
        while !engine.only_waits_for_closed_sockets() {
            engine.turn(Duration::from_millis(10));
        }
    });
    let missed = violations
        .iter()
        .filter(|violation| matches!(violation, Violation::NotDelivered { to: 1, .. }))
        .count();
    assert_eq!(missed, 10, "{violations:?}");
}
