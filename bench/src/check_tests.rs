//! An oracle that never complains proves nothing: each broken promise must be named.

use super::*;

const A: u32 = 0;
const B: u32 = 1;

fn name(number: u32) -> Name {
    Name { socket: A, number }
}

fn id(n: u8) -> EventId {
    EventId::from_bytes([n; 16])
}

fn acked(number: u32) -> (Name, Fate) {
    let id = id(u8::try_from(number).unwrap());
    (name(number), Fate::Acked { seq: seq(number), id })
}

/// Seqs of one conversation rise, not by one: others share its partition.
fn seq(number: u32) -> Seq {
    10 + Seq::from(number) * 3
}

fn fates() -> HashMap<Name, Fate> {
    (0..4).map(acked).collect()
}

/// Shows the messages in this order, each chained to the one before it in the log.
fn witness(socket: u32, order: &[u32]) -> Witness {
    let mut witness = Witness::new(socket, 7);
    for &number in order {
        witness.event(seq(number), seq(number) - 3, Some(name(number)));
    }
    witness
}

fn rows(order: &[u32]) -> Vec<Row> {
    order
        .iter()
        .map(|&n| Row { seq: seq(n), id: id(u8::try_from(n).unwrap()), name: Some(name(n)) })
        .collect()
}

const WHOLE: &[u32] = &[0, 1, 2, 3];

#[test]
fn a_faultless_run_has_no_faults() {
    let (a, b) = (witness(A, WHOLE), witness(B, WHOLE));
    assert!(a.faults.is_empty() && b.faults.is_empty());
    assert_eq!(room(&fates(), [&a, &b]), []);
    assert_eq!(history(&fates(), &rows(WHOLE)), []);
}

#[test]
fn a_lost_message_breaks_the_chain_and_is_missed() {
    let b = witness(B, &[0, 1, 3]);
    assert_eq!(b.faults, [Fault::Gap { to: B, held: seq(1), prev: seq(2), seq: seq(3) }]);
    let faults = room(&fates(), [&witness(A, WHOLE), &b]);
    assert_eq!(faults, [Fault::NotDelivered { name: name(2), to: B, seq: seq(2) }]);
}

#[test]
fn a_lost_last_message_is_missed_though_no_chain_shows_it() {
    let b = witness(B, &[0, 1, 2]);
    assert!(b.faults.is_empty());
    let faults = room(&fates(), [&witness(A, WHOLE), &b]);
    assert_eq!(faults, [Fault::NotDelivered { name: name(3), to: B, seq: seq(3) }]);
}

#[test]
fn a_double_is_named() {
    let b = witness(B, &[0, 1, 1, 2, 3]);
    assert_eq!(b.faults, [Fault::DeliveredTwice { name: name(1), to: B, seq: seq(1) }]);
}

#[test]
fn a_double_under_a_new_seq_is_named() {
    let mut b = witness(B, WHOLE);
    b.event(seq(4), seq(3), Some(name(1)));
    assert_eq!(b.faults, [Fault::DeliveredTwice { name: name(1), to: B, seq: seq(4) }]);
}

#[test]
fn disorder_is_named() {
    let b = witness(B, &[0, 2, 1, 3]);
    assert!(b.faults.contains(&Fault::OutOfOrder { to: B, seq: seq(1), after: seq(2) }), "{:?}", b.faults);
}

#[test]
fn an_event_that_does_not_know_its_place_is_a_gap() {
    let mut b = Witness::new(B, 7);
    b.event(10, 0, Some(name(0)));
    assert_eq!(b.faults, [Fault::Gap { to: B, held: 7, prev: 0, seq: 10 }]);
}

#[test]
fn events_that_are_not_messages_are_part_of_the_chain() {
    let mut b = Witness::new(B, 7);
    b.event(8, 7, None);
    b.event(10, 8, Some(name(0)));
    assert_eq!((b.faults.len(), b.seen.len()), (0, 1));
}

#[test]
fn a_send_that_nobody_answered_is_named_and_a_refused_one_is_not() {
    let fates = HashMap::from([(name(0), Fate::Waiting), (name(1), Fate::Refused)]);
    let nothing = Witness::new(A, 7);
    assert_eq!(room(&fates, [&nothing, &nothing]), [Fault::NeverAnswered { name: name(0) }]);
}

#[test]
fn another_seq_than_the_acked_one_is_named() {
    let mut b = witness(B, &[0, 1, 2]);
    b.event(99, seq(2), Some(name(3)));
    let faults = room(&fates(), [&witness(A, WHOLE), &b]);
    assert_eq!(faults, [Fault::OtherSeq { name: name(3), acked: seq(3), elsewhere: 99 }]);
}

#[test]
fn history_without_an_acked_message_is_named() {
    assert_eq!(history(&fates(), &rows(&[0, 1, 3])), [Fault::NotInHistory { name: name(2), seq: seq(2) }]);
}

#[test]
fn history_with_a_double_is_named() {
    let mut rows = rows(WHOLE);
    rows.push(Row { seq: 99, ..rows[1] });
    assert!(history(&fates(), &rows).contains(&Fault::TwiceInHistory { name: name(1), seq: 99 }));
}

#[test]
fn history_in_disorder_is_named() {
    let faults = history(&fates(), &rows(&[0, 2, 1, 3]));
    assert_eq!(faults, [Fault::HistoryOutOfOrder { seq: seq(1), after: seq(2) }]);
}

#[test]
fn history_with_what_nobody_sent_is_named() {
    let mut rows = rows(WHOLE);
    rows.push(Row { seq: 99, id: id(99), name: None });
    assert_eq!(history(&fates(), &rows), [Fault::OnlyInHistory { seq: 99 }]);
}

#[test]
fn history_under_another_id_is_named() {
    let mut rows = rows(WHOLE);
    rows[2].id = id(77);
    assert_eq!(history(&fates(), &rows), [Fault::OtherId { name: name(2), acked: id(2), history: id(77) }]);
}

#[test]
fn a_refused_send_may_be_in_history() {
    let mut fates = fates();
    fates.insert(name(4), Fate::Refused);
    assert_eq!(history(&fates, &rows(&[0, 1, 2, 3, 4])), []);
}
