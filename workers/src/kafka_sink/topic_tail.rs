//! How far Kafka is: the end of a partition, read whenever a worker takes over. No other memory is believed, since
//! only Kafka knows what it stored of what it was sent.

use std::ops::ControlFlow;

use natter_schemas::{cloudevent, id::Seq, limits};

use super::{
    options::Options,
    reader::{KafkaRecord, ReadError, Reader},
};

/// Records looked at. A worker that was away can leave as many old ones behind the newest as it had under way, so
/// the newest is not always the last.
const LOOK_BACK: i64 = 2 * limits::MIRROR_ACK_PENDING;
/// Where nothing of a mirror was found, it is looked for so much further back.
const LOOK_BACK_FACTOR: i64 = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicTail {
    /// Kafka has everything up to here; the event's id shows which log it is from.
    At { seq: Seq, id: Option<String> },
    /// There were records, and Kafka has forgotten them.
    Expired,
    /// Nothing of this epoch was ever written here.
    Nothing,
}

/// Blocking.
pub fn read(options: &Options, partition: i32, epoch: &str) -> Result<TopicTail, ReadError> {
    let reader = Reader::new(options)?;
    let ends = reader.ends(partition)?;
    if ends.is_empty() {
        return Ok(if ends.end > 0 { TopicTail::Expired } else { TopicTail::Nothing });
    }
    let mut back = LOOK_BACK;
    loop {
        let from = ends.start.max(ends.end - back);
        let mut newest = Newest::default();
        reader.read(partition, from..ends.end, |found| {
            newest.see(&found, epoch);
            ControlFlow::Continue(())
        })?;
        match newest {
            Newest { here: Some((seq, id)), .. } => return Ok(TopicTail::At { seq, id }),
            // Older epochs come before newer ones.
            Newest { elsewhere: true, .. } => return Ok(TopicTail::Nothing),
            Newest { .. } if from == ends.start => return Ok(TopicTail::Nothing),
            Newest { .. } => back = back.saturating_mul(LOOK_BACK_FACTOR),
        }
    }
}

#[derive(Default)]
struct Newest {
    here: Option<(Seq, Option<String>)>,
    /// A record of another epoch was seen.
    elsewhere: bool,
}

impl Newest {
    fn see(&mut self, found: &KafkaRecord, epoch: &str) {
        let Some((of, seq)) = found.position() else { return };
        if of != epoch {
            self.elsewhere = true;
        } else if self.here.as_ref().is_none_or(|(newest, _)| *newest < seq) {
            self.here = Some((seq, found.header(cloudevent::ID).map(str::to_owned)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: &str, seq: Seq) -> KafkaRecord {
        let header = |name: &str, value: String| (name.to_owned(), value.into_bytes());
        KafkaRecord {
            offset: 0,
            key: None,
            headers: vec![
                header(cloudevent::ID, format!("id-{seq}")),
                header(cloudevent::SEQ, seq.to_string()),
                header(cloudevent::EPOCH, epoch.to_owned()),
            ],
            value: None,
        }
    }

    fn newest(records: &[KafkaRecord]) -> Newest {
        let mut newest = Newest::default();
        for record in records {
            newest.see(record, "now");
        }
        newest
    }

    #[test]
    fn the_newest_record_counts_and_not_the_last() {
        let seen = newest(&[record("now", 7), record("now", 8), record("now", 7)]);
        assert_eq!(seen.here, Some((8, Some("id-8".to_owned()))));
    }

    #[test]
    fn seqs_of_another_epoch_do_not_count() {
        let seen = newest(&[record("before", 100), record("now", 1)]);
        assert_eq!(seen.here.map(|(seq, _)| seq), Some(1));
        let seen = newest(&[record("before", 100)]);
        assert!(seen.here.is_none() && seen.elsewhere);
    }

    #[test]
    fn records_of_others_are_passed_over() {
        let foreign = KafkaRecord { headers: Vec::new(), ..record("now", 1) };
        let odd = KafkaRecord { headers: vec![("natter-seq".to_owned(), b"x".to_vec())], ..record("now", 1) };
        let seen = newest(&[foreign, odd]);
        assert!(seen.here.is_none() && !seen.elsewhere);
    }
}
