//! What a deployment shows when nothing is sent: history by way of each edge, unread counts, presence.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    crowd::{Crowd, LOOK, Person, SETTLES_WITHIN},
    recorder::row,
};
use crate::log::{Record, Seq};

/// The most that a page can have.
const PAGE: usize = 100;

impl Crowd {
    /// Everything, by everyone at once.
    pub async fn look(&self) {
        join_all(self.people.iter().map(|person| self.histories(person))).await;
        let others = self.people.iter().cycle().skip(1);
        join_all(self.people.iter().zip(others).map(|(person, other)| self.states(person, other))).await;
    }

    async fn histories(&self, person: &Person) {
        for (room, head) in &person.reads {
            self.pages(person, room, *head).await;
        }
    }

    async fn states(&self, person: &Person, other: &Person) {
        for room in person.rooms.keys() {
            let seen = self.get(person, &format!("/api/conversations/{room}")).await;
            let number = |name: &str| seen[name].as_u64().unwrap_or(0);
            let (user, room) = (person.id.clone(), room.clone());
            let (read, count) = (number("readSeq"), number("unreadCount"));
            self.recorder.record(Record::Unread { user, room, read, count });
        }
        let asked = self.now();
        let status = self.get(person, &format!("/api/presence/status/{}", other.id)).await;
        let online = status["status"] == "online";
        self.recorder.record(Record::Presence { user: other.id.clone(), asked, online });
    }

    async fn pages(&self, person: &Person, room: &str, head: Seq) {
        let mut after = head;
        loop {
            let asked = self.now();
            let path = format!("/api/messages?conversationId={room}&after={after}&limit={PAGE}");
            let page = self.get(person, &path).await;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            let rows: Vec<_> = items.iter().map(row).collect();
            let more = page["hasMore"] == true;
            let last = rows.last().map_or(after, |row| row.seq);
            let to = if more { last } else { page["headSeq"].as_u64().unwrap_or(last) };
            let (user, room) = (person.id.clone(), room.to_owned());
            self.recorder.record(Record::Page { user, room, asked, after, to, rows });
            if !more {
                return;
            }
            after = last;
        }
    }

    /// The first answer, from any edge; after a fault there may be none for a moment.
    async fn get(&self, person: &Person, path: &str) -> Value {
        let deadline = Instant::now() + SETTLES_WITHIN;
        let mut last = String::new();
        for edge in person.edges.iter().cycle() {
            let request = self.http.request(Method::GET, format!("http://{edge}{path}"));
            match request.bearer_auth(&person.token).send().await {
                Ok(answer) if answer.status().is_success() => {
                    if let Ok(body) = answer.json().await {
                        return body;
                    }
                }
                Ok(answer) => last = answer.status().to_string(),
                Err(error) => last = error.to_string(),
            }
            assert!(
                Instant::now() < deadline,
                "{path} is not answered {SETTLES_WITHIN:?} after the fault: {last}"
            );
            sleep(LOOK).await;
        }
        unreachable!("there is an edge")
    }
}
