//! What was acked, against what every client saw, what history has and what Kafka got.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::crowd::{Participant, Post, Posts, SocketLog, said};

/// What was acked, by room.
pub fn acked(logs: &mut [SocketLog]) -> HashMap<String, Posts> {
    let mut rooms: HashMap<String, Posts> = HashMap::new();
    for (room, talk) in logs.iter_mut().flat_map(|log| std::mem::take(&mut log.acked)) {
        let all = rooms.entry(room.clone()).or_default();
        for (seq, said) in talk {
            let before = all.insert(seq, said);
            assert_eq!(before, None, "seq {seq} of {room} was promised twice");
        }
    }
    rooms
}

/// Every socket saw every event of each of its rooms once, in order, chained from the head it began with; and the
/// messages among them are those that were acked.
pub fn every_client_saw(rooms: &HashMap<String, Posts>, people: &[Participant], logs: &[SocketLog]) {
    for log in logs {
        for (room, head) in &people[log.person].rooms {
            let Some(talk) = rooms.get(room) else { continue };
            let mut last = *head;
            let mut saw = Posts::new();
            for (seq, prev, said) in log.saw.get(room).into_iter().flatten() {
                assert_eq!(*prev, last, "{room}: event {seq} does not follow what came before");
                last = *seq;
                saw.extend(said.clone().map(|said| (*seq, said)));
            }
            assert_eq!(saw, *talk, "socket of person {} in {room}", log.person);
        }
    }
}

/// History has exactly what was acked.
pub async fn history_has(rooms: &HashMap<String, Posts>, people: &[Participant]) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (room, talk) in rooms {
        let member = people.iter().find(|person| person.rooms.iter().any(|(id, _)| id == room)).unwrap();
        let mut history = Posts::new();
        loop {
            let after = history.last_key_value().map_or(0, |(seq, _)| *seq);
            let url = format!("{}/api/messages?conversationId={room}&after={after}&limit=100", member.base);
            let page = http.get(url).bearer_auth(&member.token).send().await.unwrap();
            let page: Value = page.error_for_status().unwrap().json().await.unwrap();
            let items = page["items"].as_array().unwrap();
            history.extend(items.iter().map(|message| (message["seq"].as_u64().unwrap(), said(message))));
            if page["hasMore"] == false {
                break;
            }
        }
        assert_eq!(history, *talk, "history of {room}");
    }
}

/// One record as another consumer prints it.
pub struct Record {
    pub partition: u64,
    pub headers: HashMap<String, String>,
    pub key: String,
    pub value: Value,
}

/// Kafka has every event of the log once, in the order of the log, and its messages are those that were acked.
pub fn kafka_has(records: &[Record], rooms: &HashMap<String, Posts>) {
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    let mut talks: HashMap<String, Posts> = HashMap::new();
    for record in records {
        let seq: u64 = record.headers["natter-seq"].parse().unwrap();
        let before = last.insert(record.partition, seq).unwrap_or(0);
        assert_eq!(seq, before + 1, "partition {}: a hole or a repeat", record.partition);
        assert_eq!(record.headers["ce_subject"], record.key);
        assert_eq!(record.value["seq"], seq);
        if record.headers["ce_type"] == "natter.message.posted.v1" {
            let said: Post = said(&record.value);
            assert_eq!(record.headers["ce_id"], said.id);
            talks.entry(record.key.clone()).or_default().insert(seq, said);
        }
    }
    for (room, talk) in rooms {
        assert_eq!(talks[room], *talk, "{room} in Kafka");
    }
}
