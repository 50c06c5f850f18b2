//! The oracle catches what it is for: a sound log passes, and each way to spoil it is found as what it is.
#![allow(clippy::unwrap_used)]

use natter_faults::{
    log::{self, Line, Record, Row},
    oracle::{Violation, judge},
};

const ROOM: &str = "room";
const SECOND: u64 = 1_000_000;

fn row(seq: u64) -> Row {
    Row {
        seq,
        id: format!("id-{seq}"),
        client_id: format!("c{seq}"),
        sender: "alice".to_owned(),
        content: seq != 4,
    }
}

fn own(text: &str) -> String {
    text.to_owned()
}

/// Alice sends five messages, of which the third has its ack lost and is tried again, and deletes the fourth. Bob's
/// device breaks off after the second, comes back and is shown the rest. Carol is removed in the end.
fn sound() -> Vec<Line> {
    let mut records = Vec::new();
    for (user, device) in [("alice", "a1"), ("bob", "b1"), ("carol", "c1")] {
        records.push(Record::Follow { user: own(user), device: own(device), room: own(ROOM), position: 0 });
        records.push(Record::Sockets { user: own(user), open: true });
    }
    let live = |device: &str, seq: u64| {
        let (device, room) = (own(device), own(ROOM));
        Record::Live { device, room, prev: seq - 1, row: Row { content: true, ..row(seq) } }
    };
    for seq in 1..=5 {
        let client_id = format!("c{seq}");
        let send = Record::Send {
            user: own("alice"),
            device: own("a1"),
            room: own(ROOM),
            client_id: client_id.clone(),
        };
        records.push(send.clone());
        if seq == 3 {
            records.extend([Record::Unknown { client_id: client_id.clone() }, send]);
        }
        records.push(Record::Ack { client_id, room: own(ROOM), seq, id: format!("id-{seq}") });
        records.extend([live("a1", seq), live("c1", seq)]);
        if seq <= 2 {
            records.push(live("b1", seq));
        }
    }
    records.push(Record::Send { user: own("bob"), device: own("b1"), room: own(ROOM), client_id: own("no") });
    records.push(Record::Refusal { client_id: own("no"), code: own("forbidden") });
    records.push(Record::Deleted { room: own(ROOM), seq: 4 });
    records.push(Record::Resume { device: own("b1") });
    for seq in 3..=5 {
        let (device, room) = (own("b1"), own(ROOM));
        records.push(Record::Live { device, room, prev: seq - 1, row: row(seq) });
    }
    let asked = u64::try_from(records.len()).unwrap() * SECOND + 1;
    records.push(Record::Read { user: own("alice"), room: own(ROOM), asked, seq: 5 });
    for device in ["a1", "b1"] {
        let (device, room, reader) = (own(device), own(ROOM), own("alice"));
        records.push(Record::Receipt { device, room, reader, seq: 5 });
    }
    records.extend([Record::Removed { user: own("carol"), room: own(ROOM) }, Record::Settled]);
    let rows: Vec<Row> = (1..=5).map(row).collect();
    for asked in [60 * SECOND, 120 * SECOND] {
        let (user, room) = (own("bob"), own(ROOM));
        records.push(Record::Page { user, room, asked, after: 0, to: 5, rows: rows.clone() });
    }
    for row in rows {
        records.push(Record::Kafka { partition: 0, epoch: own("e"), room: own(ROOM), row });
    }
    records.push(Record::Unread { user: own("bob"), room: own(ROOM), read: 1, count: 3 });
    records.push(Record::Sockets { user: own("carol"), open: false });
    let presence = |user: &str, online| Record::Presence { user: own(user), asked: 200 * SECOND, online };
    records.extend([presence("bob", true), presence("carol", false)]);
    let line = |(at, record)| Line { at, record };
    (1..).map(|n: u64| n * SECOND).zip(records).map(line).collect()
}

/// The place of the first record like this.
fn find(log: &[Line], is: impl Fn(&Record) -> bool) -> usize {
    log.iter().position(|line| is(&line.record)).unwrap()
}

fn live_of(log: &[Line], to: &str, seq: u64) -> usize {
    find(log, |record| matches!(record, Record::Live { device, row, .. } if device == to && row.seq == seq))
}

fn rows_of(log: &mut [Line]) -> &mut Vec<Row> {
    let at = find(log, |record| matches!(record, Record::Page { .. }));
    let Record::Page { rows, .. } = &mut log[at].record else { unreachable!("it was looked for") };
    rows
}

fn kafka_of(log: &[Line], seq: u64) -> usize {
    find(log, |record| matches!(record, Record::Kafka { row, .. } if row.seq == seq))
}

/// What a spoiled log is found to violate.
#[track_caller]
fn caught(spoil: impl Fn(&mut Vec<Line>), is: impl Fn(&Violation) -> bool) {
    let mut log = sound();
    spoil(&mut log);
    let violations = judge(&log).violations;
    assert!(violations.iter().any(is), "{violations:#?}");
}

#[test]
fn a_sound_log_contradicts_no_guarantee() {
    let verdict = judge(&sound());
    assert_eq!(verdict.violations, []);
    assert_eq!((verdict.messages, verdict.acked, verdict.pages, verdict.kafka), (6, 5, 2, 5));
}

#[test]
fn a_log_is_read_as_it_was_written() {
    let mut text = Vec::new();
    log::write(&mut text, &sound()).unwrap();
    assert_eq!(log::read(text.as_slice()).unwrap(), sound());
    let error = log::read(&b"{\"at\":1,\"record\":\"settled\"}\n{}\n"[..]).unwrap_err();
    assert_eq!(error.to_string(), "line 2 is no record");
}

#[test]
fn an_acked_message_that_a_page_lacks_is_lost() {
    caught(|log| drop(rows_of(log).remove(2)), |v| matches!(v, Violation::Lost { seq: 3, .. }));
}

#[test]
fn an_ack_that_no_page_covers_is_not_proven() {
    let is_page = |line: &Line| matches!(line.record, Record::Page { .. });
    caught(|log| log.retain(|line| !is_page(line)), |v| matches!(v, Violation::NeverRead { seq: 5, .. }));
}

#[test]
fn a_retry_that_was_stored_again_is_doubled() {
    let again = Row { seq: 6, id: own("id-6"), ..row(3) };
    caught(
        |log| rows_of(log).push(again.clone()),
        |v| matches!(v, Violation::Doubled { seqs, .. } if *seqs == [3, 6]),
    );
}

#[test]
fn a_page_that_shows_a_message_twice_is_doubled() {
    caught(
        |log| rows_of(log).insert(3, row(3)),
        |v| matches!(v, Violation::Doubled { seqs, .. } if *seqs == [3, 3]),
    );
}

#[test]
fn one_id_for_two_messages_is_caught() {
    let other = Row { id: own("id-3"), ..row(5) };
    caught(
        |log| rows_of(log)[4] = other.clone(),
        |v| matches!(v, Violation::IdTwice { seqs, .. } if *seqs == [3, 5]),
    );
}

#[test]
fn a_refused_message_that_was_stored_is_caught() {
    let refused = Row { seq: 6, id: own("id-6"), client_id: own("no"), sender: own("bob"), content: true };
    caught(
        |log| rows_of(log).push(refused.clone()),
        |v| matches!(v, Violation::StoredThoughRefused { code, .. } if code == "forbidden"),
    );
}

#[test]
fn two_acks_of_one_message_that_differ_are_caught() {
    caught(
        |log| {
            let at = find(log, |record| matches!(record, Record::Ack { seq: 3, .. }));
            let (client_id, room) = (own("c3"), own(ROOM));
            let other = Record::Ack { client_id, room, seq: 9, id: own("id-9") };
            log.insert(at + 1, Line { at: log[at].at, record: other });
        },
        |v| matches!(v, Violation::OtherAck { acked: 3, elsewhere: 9, .. }),
    );
}

#[test]
fn a_message_that_no_one_sent_is_caught() {
    let foreign = Row { seq: 6, id: own("id-6"), client_id: own("c6"), ..row(5) };
    caught(|log| rows_of(log).push(foreign.clone()), |v| matches!(v, Violation::NeverSent { .. }));
}

#[test]
fn another_event_at_the_same_seq_is_caught() {
    caught(
        |log| {
            let at = live_of(log, "b1", 2);
            if let Record::Live { row, .. } = &mut log[at].record {
                row.id = own("id-x");
            }
        },
        |v| matches!(v, Violation::OtherEvent { seq: 2, place, .. } if place == "device b1"),
    );
}

#[test]
fn two_live_events_in_the_wrong_order_are_caught() {
    caught(
        |log| {
            let (first, second) = (live_of(log, "a1", 1), live_of(log, "a1", 2));
            log.swap(first, second);
        },
        |v| matches!(v, Violation::OutOfOrder { seq: 1, after: 2, .. }),
    );
}

#[test]
fn a_page_out_of_order_is_caught() {
    caught(|log| rows_of(log).swap(1, 2), |v| matches!(v, Violation::OutOfOrder { seq: 2, after: 3, .. }));
}

#[test]
fn a_live_event_that_comes_twice_is_caught() {
    caught(
        |log| {
            let at = live_of(log, "c1", 2);
            let again = log[at].clone();
            log.insert(at, again);
        },
        |v| matches!(v, Violation::OutOfOrder { seq: 2, after: 2, .. }),
    );
}

#[test]
fn a_dropped_live_event_is_a_gap() {
    caught(
        |log| drop(log.remove(live_of(log, "b1", 3))),
        |v| matches!(v, Violation::Gap { position: 2, prev: 3, seq: 4, .. }),
    );
}

#[test]
fn a_chain_that_leaves_a_message_out_is_caught() {
    caught(
        |log| {
            log.remove(live_of(log, "b1", 3));
            let at = live_of(log, "b1", 4);
            if let Record::Live { prev, .. } = &mut log[at].record {
                *prev = 2;
            }
        },
        |v| matches!(v, Violation::Skipped { skipped: 3, seq: 4, .. }),
    );
}

#[test]
fn an_announced_gap_is_none() {
    let mut log = sound();
    let at = live_of(&log, "b1", 3);
    let announced = Record::Gap { device: own("b1"), room: own(ROOM), head: 4 };
    log[at].record = announced;
    log.remove(at + 1);
    let verdict = judge(&log);
    assert_eq!((verdict.violations, verdict.announced_gaps), (vec![], 1));
}

#[test]
fn a_last_event_that_never_came_is_caught() {
    caught(
        |log| drop(log.remove(live_of(log, "b1", 5))),
        |v| matches!(v, Violation::NotDelivered { position: 4, head: 5, .. }),
    );
}

#[test]
fn a_hole_in_kafka_is_caught() {
    caught(
        |log| drop(log.remove(kafka_of(log, 3))),
        |v| matches!(v, Violation::KafkaHole { after: 2, seq: 4, .. }),
    );
}

#[test]
fn an_acked_message_that_kafka_lacks_is_caught() {
    caught(|log| drop(log.remove(kafka_of(log, 5))), |v| matches!(v, Violation::NotInKafka { seq: 5, .. }));
}

#[test]
fn a_repeat_in_kafka_is_none_but_another_event_there_is() {
    let repeated = |log: &mut Vec<Line>| {
        let at = kafka_of(log, 4);
        let again = log[at].clone();
        log.insert(at + 2, again);
        at + 2
    };
    let mut log = sound();
    repeated(&mut log);
    assert_eq!(judge(&log).violations, []);
    caught(
        |log| {
            let at = repeated(log);
            if let Record::Kafka { row, .. } = &mut log[at].record {
                row.id = own("id-x");
            }
        },
        |v| matches!(v, Violation::OtherEvent { seq: 4, place, .. } if place == "Kafka partition 0"),
    );
}

#[test]
fn an_unread_count_that_counts_a_deleted_message_is_caught() {
    caught(
        |log| {
            let at = find(log, |record| matches!(record, Record::Unread { .. }));
            if let Record::Unread { count, .. } = &mut log[at].record {
                *count = 4;
            }
        },
        |v| matches!(v, Violation::UnreadWrong { shown: 4, truth: 3, .. }),
    );
}

#[test]
fn a_read_mark_that_a_connected_device_is_not_shown_is_caught() {
    for spoilt in ["a1", "b1"] {
        caught(
            |log| {
                log.retain(
                    |line| !matches!(&line.record, Record::Receipt { device, .. } if device == spoilt),
                );
            },
            |v| matches!(v, Violation::ReceiptNotShown { device, shown: 0, seq: 5, .. } if device == spoilt),
        );
    }
}

#[test]
fn presence_that_does_not_settle_is_caught() {
    let other = |log: &mut Vec<Line>, who: &str| {
        let at = find(log, |record| matches!(record, Record::Presence { user, .. } if user == who));
        if let Record::Presence { online, .. } = &mut log[at].record {
            *online = !*online;
        }
    };
    caught(|log| other(log, "bob"), |v| matches!(v, Violation::StillOffline { .. }));
    caught(|log| other(log, "carol"), |v| matches!(v, Violation::StillOnline { .. }));
}

#[test]
fn what_is_shown_after_a_removal_is_caught() {
    caught(
        |log| {
            let live = log[live_of(log, "c1", 5)].clone();
            let at = find(log, |record| matches!(record, Record::Settled));
            let record = live.record;
            log.insert(at + 1, Line { at: log[at].at + 2 * SECOND, record });
        },
        |v| matches!(v, Violation::ShownAfterRemoval { user, seq: 5, .. } if user == "carol"),
    );
}

#[test]
fn what_is_sent_through_a_block_is_caught() {
    caught(
        |log| {
            let record = Record::Blocked { user: own("alice"), room: own(ROOM) };
            log.insert(0, Line { at: 0, record });
        },
        |v| matches!(v, Violation::SentThoughBlocked { client_id, .. } if client_id == "c5"),
    );
}

#[test]
fn deleted_content_that_is_shown_again_is_caught() {
    let places = ["history of bob", "device b1"];
    caught(
        |log| rows_of(log)[3].content = true,
        |v| matches!(v, Violation::ShownThoughDeleted { seq: 4, place, .. } if place == places[0]),
    );
    caught(
        |log| {
            let at = live_of(log, "b1", 4);
            if let Record::Live { row, .. } = &mut log[at].record {
                row.content = true;
            }
        },
        |v| matches!(v, Violation::ShownThoughDeleted { seq: 4, place, .. } if place == places[1]),
    );
}
