//! An oracle that never complains proves nothing: each broken promise must be named.

use super::*;

const A: u32 = 0;
const B: u32 = 1;
const HEAD: Seq = 7;

fn id(number: Number) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

/// Seqs of one conversation rise, not by one: others share its partition.
fn seq(number: Number) -> Seq {
    10 + Seq::from(number) * 3
}

/// Four messages of socket A in one room, all acked.
fn oracle(promise: Promise) -> Oracle {
    let mut oracle = Oracle::new(promise, 1);
    for number in 0..4 {
        assert_eq!(oracle.sent(0, A, 0, 2), number);
        let fate = Fate::Acked { seq: seq(number), id: Some(id(number)) };
        oracle.answered(number, fate).unwrap();
    }
    oracle
}

/// Shows the messages in this order, each chained to the one before it in the log.
fn show(oracle: &mut Oracle, socket: u32, order: &[Number]) -> Witness {
    let mut witness = oracle.witness(socket, 0, HEAD);
    witness.start = 0;
    witness.at = 0;
    for &number in order {
        oracle.shown(&mut witness, Shown { seq: seq(number), prev: seq(number) - 3, number: Some(number) });
    }
    witness
}

fn faults(promise: Promise, a: &[Number], b: &[Number]) -> Vec<Fault> {
    let mut oracle = oracle(promise);
    let witnesses = [show(&mut oracle, A, a), show(&mut oracle, B, b)];
    oracle.finish(witnesses.iter());
    oracle.faults
}

fn rows(order: &[Number]) -> Vec<Row> {
    order.iter().map(|&n| Row { seq: Some(seq(n)), id: id(n), number: Some(n) }).collect()
}

const WHOLE: &[Number] = &[0, 1, 2, 3];

#[test]
fn a_faultless_run_has_no_faults() {
    for promise in [Promise::Chained, Promise::Counted] {
        assert_eq!(faults(promise, WHOLE, WHOLE), []);
    }
    assert_eq!(oracle(Promise::Chained).history(0, &rows(WHOLE)), []);
}

#[test]
fn a_lost_message_breaks_the_chain() {
    let faults = faults(Promise::Chained, WHOLE, &[0, 1, 3]);
    assert_eq!(faults[0], Fault::Gap { to: B, held: seq(1), prev: seq(2), seq: seq(3) });
    assert_eq!(faults[1], Fault::ShownLess { to: B, shown: 3, events: 4 });
}

#[test]
fn a_lost_message_is_seen_whoever_is_shown_the_room_first() {
    let faults = faults(Promise::Chained, &[0, 1, 3], WHOLE);
    assert!(faults.contains(&Fault::Gap { to: A, held: seq(1), prev: seq(2), seq: seq(3) }), "{faults:?}");
    assert!(faults.contains(&Fault::ShownLess { to: A, shown: 3, events: 4 }), "{faults:?}");
    assert_eq!(faults.len(), 2);
}

#[test]
fn a_lost_last_message_is_missed_though_no_chain_shows_it() {
    for promise in [Promise::Chained, Promise::Counted] {
        assert_eq!(faults(promise, WHOLE, &[0, 1, 2]), [Fault::NotDelivered { number: 3, to: B }]);
    }
}

#[test]
fn a_message_that_nobody_was_shown_is_missed() {
    let faults = faults(Promise::Chained, &[0, 1, 2], &[0, 1, 2]);
    assert_eq!(faults, [Fault::NeverShown { number: 3 }]);
}

#[test]
fn a_chain_that_lies_is_compared_with_what_others_were_shown() {
    let mut oracle = oracle(Promise::Chained);
    show(&mut oracle, A, WHOLE);
    let mut b = show(&mut oracle, B, &[0, 1]);
    oracle.shown(&mut b, Shown { seq: seq(3), prev: seq(1), number: Some(3) });
    assert_eq!(oracle.faults, [Fault::Gap { to: B, held: seq(1), prev: seq(1), seq: seq(3) }]);
}

#[test]
fn a_double_is_named() {
    let double = |seq| vec![Fault::DeliveredTwice { number: 1, to: B, seq }];
    assert_eq!(faults(Promise::Chained, WHOLE, &[0, 1, 1, 2, 3]), double(seq(1)));
    assert_eq!(faults(Promise::Counted, WHOLE, &[0, 1, 1, 2, 3]), double(0));
}

#[test]
fn a_double_under_a_new_seq_is_named() {
    let mut oracle = oracle(Promise::Chained);
    let mut b = show(&mut oracle, B, WHOLE);
    oracle.shown(&mut b, Shown { seq: seq(4), prev: seq(3), number: Some(1) });
    assert_eq!(oracle.faults, [Fault::DeliveredTwice { number: 1, to: B, seq: seq(4) }]);
}

#[test]
fn disorder_is_a_fault_where_events_have_a_place_and_counted_where_they_have_none() {
    let order = [0, 2, 1, 3];
    let faults = faults(Promise::Chained, WHOLE, &order);
    assert!(faults.contains(&Fault::DeliveredTwice { number: 1, to: B, seq: seq(1) }), "{faults:?}");
    let mut oracle = oracle(Promise::Counted);
    let witnesses = [show(&mut oracle, A, WHOLE), show(&mut oracle, B, &order)];
    oracle.finish(witnesses.iter());
    assert_eq!((oracle.faults, oracle.reordered), (vec![], 2));
}

#[test]
fn an_event_out_of_order_that_was_never_shown_is_named() {
    let mut oracle = oracle(Promise::Chained);
    let mut b = show(&mut oracle, B, &[0, 1]);
    oracle.shown(&mut b, Shown { seq: HEAD, prev: 1, number: None });
    assert_eq!(oracle.faults, [Fault::OutOfOrder { to: B, seq: HEAD, after: seq(1) }]);
}

#[test]
fn an_event_that_does_not_know_its_place_is_a_gap() {
    let mut oracle = oracle(Promise::Chained);
    let mut b = oracle.witness(B, 0, HEAD);
    oracle.shown(&mut b, Shown { seq: 10, prev: 0, number: Some(0) });
    assert_eq!(oracle.faults, [Fault::Gap { to: B, held: HEAD, prev: 0, seq: 10 }]);
}

#[test]
fn events_that_are_not_messages_are_part_of_the_chain() {
    let mut oracle = oracle(Promise::Chained);
    let mut b = oracle.witness(B, 0, HEAD);
    assert!(oracle.shown(&mut b, Shown { seq: 8, prev: HEAD, number: None }));
    assert!(oracle.shown(&mut b, Shown { seq: 10, prev: 8, number: Some(0) }));
    assert_eq!((oracle.faults.len(), b.position), (0, 10));
}

#[test]
fn whoever_comes_later_owes_nothing_of_what_was() {
    let mut oracle = oracle(Promise::Chained);
    show(&mut oracle, A, &[0, 1]);
    let mut late = oracle.witness(B, 0, seq(1));
    oracle.shown(&mut late, Shown { seq: seq(2), prev: seq(1), number: Some(2) });
    oracle.sends.pop();
    oracle.finish([late].iter());
    assert_eq!(oracle.faults, []);
}

#[test]
fn whoever_is_told_to_begin_anew_owes_only_what_comes_then() {
    let mut oracle = oracle(Promise::Chained);
    show(&mut oracle, A, &[0, 1, 2]);
    let mut b = show(&mut oracle, B, &[0]);
    assert_eq!(oracle.begin_anew(&mut b, seq(2)), 2);
    oracle.shown(&mut b, Shown { seq: seq(3), prev: seq(2), number: Some(3) });
    oracle.finish([b].iter());
    assert_eq!(oracle.faults, []);
}

#[test]
fn two_events_at_one_place_are_named() {
    let mut oracle = oracle(Promise::Chained);
    show(&mut oracle, A, &[0]);
    let mut b = oracle.witness(B, 0, HEAD);
    b.at = 0;
    oracle.shown(&mut b, Shown { seq: seq(0), prev: HEAD, number: Some(2) });
    assert_eq!(oracle.faults, [Fault::OtherThere { to: B, seq: seq(0) }]);
}

#[test]
fn a_message_nobody_sent_is_named() {
    let mut oracle = oracle(Promise::Counted);
    show(&mut oracle, B, &[9]);
    assert_eq!(oracle.faults, [Fault::NobodySent { number: 9, to: B }]);
}

#[test]
fn a_send_that_nobody_answered_is_named_and_a_refused_one_is_not() {
    let mut oracle = Oracle::new(Promise::Chained, 1);
    oracle.sent(0, A, 0, 2);
    let refused = oracle.sent(0, A, 0, 2);
    assert!(oracle.answered(refused, Fate::Refused).is_some());
    assert!(oracle.answered(refused, Fate::Refused).is_none(), "it has its answer");
    oracle.finish(std::iter::empty());
    assert_eq!(oracle.faults, [Fault::NeverAnswered { number: 0 }]);
}

#[test]
fn another_seq_than_the_acked_one_is_named() {
    let mut oracle = oracle(Promise::Chained);
    let mut b = show(&mut oracle, B, &[0, 1, 2]);
    oracle.shown(&mut b, Shown { seq: 99, prev: seq(2), number: Some(3) });
    oracle.finish([b].iter());
    assert_eq!(oracle.faults, [Fault::OtherSeq { number: 3, acked: seq(3), elsewhere: 99 }]);
}

#[test]
fn history_without_an_acked_message_is_named() {
    assert_eq!(oracle(Promise::Chained).history(0, &rows(&[0, 1, 3])), [Fault::NotInHistory { number: 2 }]);
}

#[test]
fn history_with_a_double_is_named() {
    let mut rows = rows(WHOLE);
    rows.push(Row { seq: Some(99), ..rows[1] });
    assert!(oracle(Promise::Chained).history(0, &rows).contains(&Fault::TwiceInHistory { number: 1 }));
}

#[test]
fn history_in_disorder_is_named() {
    let faults = oracle(Promise::Chained).history(0, &rows(&[0, 2, 1, 3]));
    assert_eq!(faults, [Fault::HistoryOutOfOrder { seq: seq(1), after: seq(2) }]);
}

#[test]
fn history_with_what_nobody_sent_is_named() {
    let mut rows = rows(WHOLE);
    rows.push(Row { seq: Some(99), id: id(99), number: None });
    assert_eq!(oracle(Promise::Chained).history(0, &rows), [Fault::OnlyInHistory { seq: 99 }]);
}

#[test]
fn history_under_another_id_or_seq_is_named() {
    let mut rows = rows(WHOLE);
    rows[2].id = id(77);
    rows[3].seq = Some(99);
    let faults = oracle(Promise::Chained).history(0, &rows);
    let other = Fault::OtherSeq { number: 3, acked: seq(3), elsewhere: 99 };
    assert_eq!(faults, [Fault::OtherId { number: 2 }, other]);
}

#[test]
fn a_refused_send_may_be_in_history() {
    let mut oracle = oracle(Promise::Chained);
    oracle.sent(0, A, 0, 2);
    oracle.answered(4, Fate::Refused);
    assert_eq!(oracle.history(0, &rows(&[0, 1, 2, 3, 4])), []);
}

#[test]
fn content_has_its_size_and_tells_its_name() {
    let text = content(12_345, 128);
    assert_eq!((text.len(), number_in(&text)), (128, Some(12_345)));
    assert_eq!(number_in("hello there"), None);
}
