//! Access that changes under load: guests are taken into a group and removed again, a host blocks a guest who goes on
//! sending, and hosts delete what they have just posted.

use std::time::Duration;

use natter_testkit::Room;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    client::{Order, State},
    crowd::Person,
    recorder::Recorder,
};
use crate::log::Record;

const LOOK: Duration = Duration::from_millis(100);
/// How long a guest is in a group.
const STAYS: Duration = Duration::from_millis(700);
/// How long a guest is out of it, or blocked: longer than what was on its way may still arrive.
const IS_OUT: Duration = Duration::from_millis(3500);
/// A change that was begun is finished within this time once everything runs again.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// Someone who comes and goes.
#[derive(Clone)]
pub struct Guest {
    pub number: usize,
    pub person: Person,
    pub state: watch::Sender<State>,
    /// Who opened the group, and the direct conversation with the guest.
    pub host: Person,
    pub room: String,
    pub direct: Room,
}

pub struct Changes {
    guests: Vec<Guest>,
    calls: Calls,
    tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Calls {
    recorder: Recorder,
    http: reqwest::Client,
    orders: watch::Receiver<Order>,
}

impl Changes {
    pub fn new(
        guests: Vec<Guest>,
        recorder: Recorder,
        http: reqwest::Client,
        orders: watch::Receiver<Order>,
    ) -> Self {
        Self { guests, calls: Calls { recorder, http, orders }, tasks: JoinSet::new() }
    }

    /// Until nothing is sent any more; once.
    pub fn begin(&mut self) {
        if !self.tasks.is_empty() {
            return;
        }
        for guest in &self.guests {
            self.tasks.spawn(self.calls.clone().members(guest.clone()));
            self.tasks.spawn(self.calls.clone().blocks(guest.clone()));
            self.tasks.spawn(self.calls.clone().sends(guest.clone()));
            self.tasks.spawn(self.calls.clone().deletions(guest.clone()));
        }
    }

    /// Each change that was begun is finished.
    pub async fn end(&mut self) {
        while let Ok(Some(ended)) = timeout(ENDS_WITHIN, self.tasks.join_next()).await {
            ended.expect("a change does not panic");
        }
    }
}

impl Calls {
    fn go_on(&self) -> bool {
        matches!(*self.orders.borrow(), Order::Send(_))
    }

    async fn members(self, guest: Guest) {
        let (user, room) = (guest.person.id.clone(), guest.room.clone());
        let members = format!("/api/conversations/{room}/participants");
        while self.go_on() {
            guest.state.send_modify(|state| {
                state.expects.insert(room.clone());
            });
            // From the attempt on it may be seen.
            self.recorder.record(Record::Added { user: user.clone(), room: room.clone() });
            self.done(&guest.host, Method::POST, &members, Some(json!({"userIds": [user]}))).await;
            sleep(STAYS).await;
            self.done(&guest.host, Method::DELETE, &format!("{members}/{user}"), None).await;
            self.recorder.record(Record::Removed { user: user.clone(), room: room.clone() });
            guest.state.send_modify(|state| {
                state.expects.remove(&room);
                state.positions.remove(&room);
            });
            sleep(IS_OUT).await;
        }
    }

    async fn blocks(self, guest: Guest) {
        let (user, room) = (guest.person.id.clone(), guest.direct.id.clone());
        let block = format!("/api/blocks/{user}");
        while self.go_on() {
            sleep(STAYS).await;
            self.done(&guest.host, Method::PUT, &block, None).await;
            self.recorder.record(Record::Blocked { user: user.clone(), room: room.clone() });
            sleep(IS_OUT).await;
            // From the attempt on it may be over.
            self.recorder.record(Record::Unblocked { user: user.clone(), room: room.clone() });
            self.done(&guest.host, Method::DELETE, &block, None).await;
        }
    }

    async fn sends(self, guest: Guest) {
        for number in 0.. {
            if !self.go_on() {
                return;
            }
            self.post(&guest.person, &guest.direct.id, format!("g{}-{number}", guest.number)).await;
            sleep(LOOK).await;
        }
    }

    async fn deletions(self, guest: Guest) {
        for number in 0.. {
            if !self.go_on() {
                return;
            }
            let (host, room) = (&guest.host, &guest.room);
            if let Some(seq) = self.post(host, room, format!("x{}-{number}", guest.number)).await {
                sleep(LOOK).await;
                let message = format!("/api/conversations/{room}/messages/{seq}");
                self.done(host, Method::DELETE, &message, None).await;
                self.recorder.record(Record::Deleted { room: room.clone(), seq });
            }
            sleep(2 * LOOK).await;
        }
    }

    /// Once; its seq if it was acked.
    async fn post(&self, person: &Person, room: &str, client_id: String) -> Option<u64> {
        let body = json!({
            "conversationId": room, "content": format!("message {client_id}"), "clientId": client_id, "deviceId": "rest",
        });
        let (user, device) = (person.id.clone(), format!("rest of {}", person.id));
        self.recorder.record(Record::Send {
            user,
            device,
            room: room.to_owned(),
            client_id: client_id.clone(),
        });
        let (status, answer) = self.call(person, 0, Method::POST, "/api/messages", Some(&body)).await?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        if status == StatusCode::CREATED {
            let (seq, room) = (answer["seq"].as_u64().unwrap_or(0), room.to_owned());
            self.recorder.record(Record::Ack { client_id, room, seq, id: text("id") });
            return Some(seq);
        }
        self.recorder.record(Record::Refusal { client_id, code: text("code") });
        None
    }

    /// Until it is done, or was by an attempt whose answer did not come.
    async fn done(&self, person: &Person, method: Method, path: &str, body: Option<Value>) {
        for attempt in 0.. {
            let answer = self.call(person, attempt, method.clone(), path, body.as_ref()).await;
            let is_done = |status: StatusCode| status.is_success() || status == StatusCode::NOT_FOUND;
            if answer.is_some_and(|(status, _)| is_done(status)) || *self.orders.borrow() == Order::Stop {
                return;
            }
            sleep(LOOK).await;
        }
    }

    /// Each attempt at another edge; `None` when no answer came.
    async fn call(
        &self,
        person: &Person,
        attempt: usize,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(StatusCode, Value)> {
        let edge = &person.edges[attempt % person.edges.len()];
        let request = self.http.request(method, format!("http://{edge}{path}")).bearer_auth(&person.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.ok()?;
        let status = answer.status();
        Some((status, answer.json().await.unwrap_or_default()))
    }
}
