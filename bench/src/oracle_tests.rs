//! An oracle that never reports anything proves nothing: each violation must be found.

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
fn oracle(guarantee: Guarantee) -> Oracle {
    let mut oracle = Oracle::new(guarantee, 1);
    for number in 0..4 {
        assert_eq!(oracle.sent(0, A, 0, 2), number);
        let outcome = SendOutcome::Acked { seq: seq(number), id: Some(id(number)) };
        oracle.answered(number, outcome).unwrap();
    }
    oracle
}

/// Shows the messages in this order, each chained to the one before it in the log.
fn show(oracle: &mut Oracle, socket: u32, order: &[Number]) -> Receiver {
    let mut receiver = oracle.receiver(socket, 0, HEAD);
    receiver.start = 0;
    receiver.at = 0;
    for &number in order {
        oracle.shown(
            &mut receiver,
            ReceivedEvent { seq: seq(number), prev: seq(number) - 3, number: Some(number) },
        );
    }
    receiver
}

fn violations(guarantee: Guarantee, a: &[Number], b: &[Number]) -> Vec<Violation> {
    let mut oracle = oracle(guarantee);
    let receivers = [show(&mut oracle, A, a), show(&mut oracle, B, b)];
    oracle.finish(receivers.iter());
    oracle.violations
}

fn rows(order: &[Number]) -> Vec<HistoryRow> {
    order.iter().map(|&n| HistoryRow { seq: Some(seq(n)), id: id(n), number: Some(n) }).collect()
}

const WHOLE: &[Number] = &[0, 1, 2, 3];

#[test]
fn a_correct_run_has_no_violations() {
    for guarantee in [Guarantee::Chained, Guarantee::Counted] {
        assert_eq!(violations(guarantee, WHOLE, WHOLE), []);
    }
    assert_eq!(oracle(Guarantee::Chained).history(0, &rows(WHOLE)), []);
}

#[test]
fn a_lost_message_breaks_the_chain() {
    let violations = violations(Guarantee::Chained, WHOLE, &[0, 1, 3]);
    assert_eq!(violations[0], Violation::Gap { to: B, position: seq(1), prev: seq(2), seq: seq(3) });
    assert_eq!(violations[1], Violation::ShownLess { to: B, shown: 3, events: 4 });
}

#[test]
fn a_lost_message_is_found_whichever_receiver_comes_first() {
    let violations = violations(Guarantee::Chained, &[0, 1, 3], WHOLE);
    assert!(
        violations.contains(&Violation::Gap { to: A, position: seq(1), prev: seq(2), seq: seq(3) }),
        "{violations:?}"
    );
    assert!(violations.contains(&Violation::ShownLess { to: A, shown: 3, events: 4 }), "{violations:?}");
    assert_eq!(violations.len(), 2);
}

#[test]
fn a_lost_last_message_is_missed_though_no_chain_shows_it() {
    for guarantee in [Guarantee::Chained, Guarantee::Counted] {
        assert_eq!(violations(guarantee, WHOLE, &[0, 1, 2]), [Violation::NotDelivered { number: 3, to: B }]);
    }
}

#[test]
fn a_message_delivered_to_no_receiver_is_reported() {
    let violations = violations(Guarantee::Chained, &[0, 1, 2], &[0, 1, 2]);
    assert_eq!(violations, [Violation::NeverShown { number: 3 }]);
}

#[test]
fn a_wrong_chain_is_compared_with_what_others_were_shown() {
    let mut oracle = oracle(Guarantee::Chained);
    show(&mut oracle, A, WHOLE);
    let mut b = show(&mut oracle, B, &[0, 1]);
    oracle.shown(&mut b, ReceivedEvent { seq: seq(3), prev: seq(1), number: Some(3) });
    assert_eq!(oracle.violations, [Violation::Gap { to: B, position: seq(1), prev: seq(1), seq: seq(3) }]);
}

#[test]
fn a_double_is_reported() {
    let double = |seq| vec![Violation::DeliveredTwice { number: 1, to: B, seq }];
    assert_eq!(violations(Guarantee::Chained, WHOLE, &[0, 1, 1, 2, 3]), double(seq(1)));
    assert_eq!(violations(Guarantee::Counted, WHOLE, &[0, 1, 1, 2, 3]), double(0));
}

#[test]
fn a_double_under_a_new_seq_is_reported() {
    let mut oracle = oracle(Guarantee::Chained);
    let mut b = show(&mut oracle, B, WHOLE);
    oracle.shown(&mut b, ReceivedEvent { seq: seq(4), prev: seq(3), number: Some(1) });
    assert_eq!(oracle.violations, [Violation::DeliveredTwice { number: 1, to: B, seq: seq(4) }]);
}

#[test]
fn disorder_is_a_violation_with_seqs_and_counted_without() {
    let order = [0, 2, 1, 3];
    let violations = violations(Guarantee::Chained, WHOLE, &order);
    assert!(
        violations.contains(&Violation::DeliveredTwice { number: 1, to: B, seq: seq(1) }),
        "{violations:?}"
    );
    let mut oracle = oracle(Guarantee::Counted);
    let receivers = [show(&mut oracle, A, WHOLE), show(&mut oracle, B, &order)];
    oracle.finish(receivers.iter());
    assert_eq!((oracle.violations, oracle.reordered), (vec![], 2));
}

#[test]
fn an_event_out_of_order_that_was_never_shown_is_reported() {
    let mut oracle = oracle(Guarantee::Chained);
    let mut b = show(&mut oracle, B, &[0, 1]);
    oracle.shown(&mut b, ReceivedEvent { seq: HEAD, prev: 1, number: None });
    assert_eq!(oracle.violations, [Violation::OutOfOrder { to: B, seq: HEAD, after: seq(1) }]);
}

#[test]
fn an_event_without_a_prev_seq_is_a_gap() {
    let mut oracle = oracle(Guarantee::Chained);
    let mut b = oracle.receiver(B, 0, HEAD);
    oracle.shown(&mut b, ReceivedEvent { seq: 10, prev: 0, number: Some(0) });
    assert_eq!(oracle.violations, [Violation::Gap { to: B, position: HEAD, prev: 0, seq: 10 }]);
}

#[test]
fn events_that_are_not_messages_are_part_of_the_chain() {
    let mut oracle = oracle(Guarantee::Chained);
    let mut b = oracle.receiver(B, 0, HEAD);
    assert!(oracle.shown(&mut b, ReceivedEvent { seq: 8, prev: HEAD, number: None }));
    assert!(oracle.shown(&mut b, ReceivedEvent { seq: 10, prev: 8, number: Some(0) }));
    assert_eq!((oracle.violations.len(), b.position), (0, 10));
}

#[test]
fn a_receiver_that_joins_later_need_not_have_earlier_events() {
    let mut oracle = oracle(Guarantee::Chained);
    show(&mut oracle, A, &[0, 1]);
    let mut late = oracle.receiver(B, 0, seq(1));
    oracle.shown(&mut late, ReceivedEvent { seq: seq(2), prev: seq(1), number: Some(2) });
    oracle.sends.pop();
    oracle.finish([late].iter());
    assert_eq!(oracle.violations, []);
}

#[test]
fn after_a_resume_gap_only_later_events_are_expected() {
    let mut oracle = oracle(Guarantee::Chained);
    show(&mut oracle, A, &[0, 1, 2]);
    let mut b = show(&mut oracle, B, &[0]);
    assert_eq!(oracle.skip_to(&mut b, seq(2)), 2);
    oracle.shown(&mut b, ReceivedEvent { seq: seq(3), prev: seq(2), number: Some(3) });
    oracle.finish([b].iter());
    assert_eq!(oracle.violations, []);
}

#[test]
fn two_events_with_one_seq_are_reported() {
    let mut oracle = oracle(Guarantee::Chained);
    show(&mut oracle, A, &[0]);
    let mut b = oracle.receiver(B, 0, HEAD);
    b.at = 0;
    oracle.shown(&mut b, ReceivedEvent { seq: seq(0), prev: HEAD, number: Some(2) });
    assert_eq!(oracle.violations, [Violation::DifferentEvent { to: B, seq: seq(0) }]);
}

#[test]
fn a_message_that_was_never_sent_is_reported() {
    let mut oracle = oracle(Guarantee::Counted);
    show(&mut oracle, B, &[9]);
    assert_eq!(oracle.violations, [Violation::NeverSent { number: 9, to: B }]);
}

#[test]
fn an_unanswered_send_is_reported_and_a_refused_one_is_not() {
    let mut oracle = Oracle::new(Guarantee::Chained, 1);
    oracle.sent(0, A, 0, 2);
    let refused = oracle.sent(0, A, 0, 2);
    assert!(oracle.answered(refused, SendOutcome::Rejected).is_some());
    assert!(oracle.answered(refused, SendOutcome::Rejected).is_none(), "it has its answer");
    oracle.finish(std::iter::empty());
    assert_eq!(oracle.violations, [Violation::NeverAnswered { number: 0 }]);
}

#[test]
fn another_seq_than_the_acked_one_is_reported() {
    let mut oracle = oracle(Guarantee::Chained);
    let mut b = show(&mut oracle, B, &[0, 1, 2]);
    oracle.shown(&mut b, ReceivedEvent { seq: 99, prev: seq(2), number: Some(3) });
    oracle.finish([b].iter());
    assert_eq!(oracle.violations, [Violation::OtherSeq { number: 3, acked: seq(3), elsewhere: 99 }]);
}

#[test]
fn history_without_an_acked_message_is_reported() {
    assert_eq!(
        oracle(Guarantee::Chained).history(0, &rows(&[0, 1, 3])),
        [Violation::NotInHistory { number: 2 }]
    );
}

#[test]
fn history_with_a_double_is_reported() {
    let mut rows = rows(WHOLE);
    rows.push(HistoryRow { seq: Some(99), ..rows[1] });
    assert!(oracle(Guarantee::Chained).history(0, &rows).contains(&Violation::TwiceInHistory { number: 1 }));
}

#[test]
fn history_in_disorder_is_reported() {
    let violations = oracle(Guarantee::Chained).history(0, &rows(&[0, 2, 1, 3]));
    assert_eq!(violations, [Violation::HistoryOutOfOrder { seq: seq(1), after: seq(2) }]);
}

#[test]
fn history_with_a_message_never_sent_is_reported() {
    let mut rows = rows(WHOLE);
    rows.push(HistoryRow { seq: Some(99), id: id(99), number: None });
    assert_eq!(oracle(Guarantee::Chained).history(0, &rows), [Violation::OnlyInHistory { seq: 99 }]);
}

#[test]
fn history_under_another_id_or_seq_is_reported() {
    let mut rows = rows(WHOLE);
    rows[2].id = id(77);
    rows[3].seq = Some(99);
    let violations = oracle(Guarantee::Chained).history(0, &rows);
    let other = Violation::OtherSeq { number: 3, acked: seq(3), elsewhere: 99 };
    assert_eq!(violations, [Violation::OtherId { number: 2 }, other]);
}

#[test]
fn a_refused_send_may_be_in_history() {
    let mut oracle = oracle(Guarantee::Chained);
    oracle.sent(0, A, 0, 2);
    oracle.answered(4, SendOutcome::Rejected);
    assert_eq!(oracle.history(0, &rows(&[0, 1, 2, 3, 4])), []);
}

#[test]
fn content_has_its_size_and_carries_its_number() {
    let text = content(12_345, 128);
    assert_eq!((text.len(), number_in(&text)), (128, Some(12_345)));
    assert_eq!(number_in("hello there"), None);
}
