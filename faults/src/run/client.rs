//! A client that does what docs/protocol.md asks of one: it reconnects, resumes, repeats what was not answered with the
//! same client id, and writes everything down.

mod reads; // what it marks as read
mod state; // where it is

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::recorder::{Recorder, row};
use crate::log::{Record, Row, Seq};
use reads::Reads;
pub use state::{Order, State};

/// Messages of one client that wait for their acks.
const AHEAD: usize = 32;
/// A connection on which nothing came for so long is asked for a sign, and after as long again given up.
const SILENCE: Duration = Duration::from_secs(4);
/// An answer that did not come is asked for again.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Before another attempt; after a second refusal twice, then four times as long.
const PAUSE: Duration = Duration::from_millis(200);

type Wire = WebSocketStream<TcpStream>;

pub struct Client {
    pub user: String,
    pub device: String,
    pub token: String,
    /// Of every edge, its own first.
    pub edges: Vec<String>,
    pub rooms: Vec<String>,
    pub recorder: Recorder,
    pub state: watch::Sender<State>,
    orders: watch::Receiver<Order>,
    epoch: Option<String>,
    prefix: String,
    next: u64,
    /// Not acked, oldest first.
    waiting: VecDeque<Waiting>,
    attempts: usize,
    listens: bool,
    sleeps: Option<Duration>,
    resume: Resume,
    reads: Reads,
}

/// What became of the resume of this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resume {
    Done,
    Asked,
    /// History did not answer: what comes now leaves a gap, and the client asks again.
    Failed,
}

struct Waiting {
    client_id: String,
    room: String,
    /// When it is tried again.
    again: Instant,
    retry: bool,
    refusals: u32,
}

impl Client {
    pub fn new(
        [user, device, token]: [String; 3],
        edges: Vec<String>,
        rooms: &BTreeMap<String, Seq>,
        recorder: Recorder,
        orders: watch::Receiver<Order>,
    ) -> Self {
        for (room, position) in rooms {
            let (user, device, room) = (user.clone(), device.clone(), room.clone());
            recorder.record(Record::Follow { user, device, room, position: *position });
        }
        let state = State { positions: rooms.clone(), ..State::default() };
        Self {
            user,
            device,
            token,
            edges,
            rooms: rooms.keys().cloned().collect(),
            recorder,
            state: watch::Sender::new(state),
            orders,
            epoch: None,
            prefix: String::new(),
            next: 0,
            waiting: VecDeque::new(),
            attempts: 0,
            listens: false,
            sleeps: None,
            resume: Resume::Done,
            reads: Reads::default(),
        }
    }

    /// It sends nothing.
    pub fn that_listens(self) -> Self {
        Self { listens: true, ..self }
    }

    /// It sends once, leaves without having read an answer, and comes back so much later to send the same again.
    pub fn that_sleeps(self, time: Duration) -> Self {
        Self { listens: true, sleeps: Some(time), ..self }
    }

    /// Until it is asked to stop.
    pub async fn run(mut self) {
        if let Some(time) = self.sleeps {
            self.sleep(time).await;
        }
        while *self.orders.borrow() != Order::Stop && self.state.borrow().ended.is_none() {
            let edge = self.edges[self.attempts % self.edges.len()].clone();
            self.attempts += 1;
            if let Ok(Some(wire)) = timeout(2 * SILENCE, self.connect(&edge)).await {
                self.sockets(true);
                self.serve(wire).await;
                self.sockets(false);
                self.reads.disconnected();
            }
            for waiting in &mut self.waiting {
                // What was under way may be stored.
                (waiting.retry, waiting.again) = (true, Instant::now());
                self.recorder.record(Record::Unknown { client_id: waiting.client_id.clone() });
            }
            sleep(PAUSE).await;
        }
    }

    async fn sleep(&mut self, time: Duration) {
        let edge = self.edges[0].clone();
        let Some(mut wire) = self.connect(&edge).await else { return };
        let sends = |order: &Order| *order != Order::Listen;
        drop(self.orders.wait_for(sends).await);
        for _ in 0..AHEAD {
            self.compose();
        }
        self.repeat(&mut wire).await;
        // What was sent is read and stored.
        sleep(SILENCE).await;
        drop(wire);
        for (number, waiting) in self.waiting.iter_mut().enumerate() {
            // Workers are there: without the word that it is a retry, too, it is known.
            (waiting.retry, waiting.again) = (number % 2 == 0, Instant::now());
            self.recorder.record(Record::Unknown { client_id: waiting.client_id.clone() });
        }
        sleep(time).await;
    }

    fn sockets(&self, open: bool) {
        self.recorder.record(Record::Sockets { user: self.user.clone(), open });
    }

    async fn connect(&mut self, edge: &str) -> Option<Wire> {
        let stream = TcpStream::connect(edge).await.ok()?;
        let mut request = format!("ws://{edge}/ws").into_client_request().ok()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("natter.v1"));
        let (mut wire, _) = client_async(request, stream).await.ok()?;
        let mut hello = json!({"type": "hello", "token": self.token, "deviceId": self.device});
        self.resume = if self.epoch.is_some() { Resume::Asked } else { Resume::Done };
        if let Some(epoch) = &self.epoch {
            hello["resume"] = json!({"epoch": epoch, "positions": self.state.borrow().positions});
        }
        self.recorder.record(Record::Resume { device: self.device.clone() });
        wire.send(Message::text(hello.to_string())).await.ok()?;
        let frame = frame(&wire.next().await?.ok()?)?;
        if frame["type"] != "welcome" {
            return None;
        }
        self.epoch = frame["epoch"].as_str().map(str::to_owned);
        frame["clientIdPrefix"].as_str().unwrap_or_default().clone_into(&mut self.prefix);
        self.state.send_modify(|state| state.connects += 1);
        Some(wire)
    }

    async fn serve(&mut self, mut wire: Wire) {
        let (mut heard, mut asked) = (Instant::now(), false);
        let mut next_send = Instant::now();
        loop {
            if self.repeat(&mut wire).await.is_none() {
                return;
            }
            let order = *self.orders.borrow_and_update();
            self.state.send_if_modified(|state| state.follows.replace(order) != Some(order));
            let due = match order {
                Order::Stop => return,
                Order::Send(_) if !self.listens && self.waiting.len() < AHEAD => next_send,
                _ => Instant::now() + SILENCE,
            };
            let silence = heard + SILENCE * if asked { 2 } else { 1 };
            let again = self.waiting.iter().map(|waiting| waiting.again).min().unwrap_or(silence);
            tokio::select! {
                message = wire.next() => {
                    let Some(Ok(message)) = message else { return };
                    (heard, asked) = (Instant::now(), false);
                    if matches!(message, Message::Close(_)) {
                        return self.closed(&message);
                    }
                    if let Some(frame) = frame(&message) {
                        self.take(&frame);
                    }
                    if self.resume == Resume::Failed {
                        return;
                    }
                }
                () = sleep_until(due) => if let Order::Send(pace) = order {
                    next_send = self.compose_due(next_send, pace);
                },
                () = sleep_until(again) => {}
                () = sleep_until(silence) => {
                    if asked || wire.send(Message::text(r#"{"type":"ping"}"#)).await.is_err() {
                        return;
                    }
                    asked = true;
                }
                _ = self.orders.changed() => {}
            }
        }
    }

    /// Every message that is due; when the next one is. What could not be sent for want of acks is not made up for.
    fn compose_due(&mut self, mut due: Instant, pace: Duration) -> Instant {
        let now = Instant::now();
        while !self.listens && due <= now && self.waiting.len() < AHEAD {
            self.compose();
            due += pace;
        }
        due.max(now)
    }

    /// A new message, tried at once.
    fn compose(&mut self) {
        let room = self.rooms[usize::try_from(self.next).unwrap_or(0) % self.rooms.len()].clone();
        let client_id = format!("{}{}-{}", self.prefix, self.device, self.next);
        self.next += 1;
        self.waiting.push_back(Waiting { client_id, room, again: Instant::now(), retry: false, refusals: 0 });
        self.state.send_modify(|state| state.waiting += 1);
    }

    /// Sends what is due; `None` when the connection is gone.
    async fn repeat(&mut self, wire: &mut Wire) -> Option<()> {
        let now = Instant::now();
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.again <= now) {
            let Waiting { client_id, room, retry, .. } = &*waiting;
            let mut frame = json!({
                "type": "send", "id": client_id, "clientId": client_id, "conversationId": room,
                "content": format!("message {client_id}"),
            });
            if *retry {
                frame["retry"] = json!(true);
            }
            let (user, device) = (self.user.clone(), self.device.clone());
            let (room, client_id) = (room.clone(), client_id.clone());
            self.recorder.record(Record::Send { user, device, room, client_id });
            wire.feed(Message::text(frame.to_string())).await.ok()?;
            (waiting.again, waiting.retry) = (now + ANSWER_WITHIN, true);
        }
        for read in self.reads.take_due() {
            wire.feed(Message::text(read)).await.ok()?;
        }
        wire.flush().await.ok()
    }

    fn take(&mut self, frame: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let room = text(&frame["conversationId"]);
        if self.reads.answered(frame, &self.user, &self.recorder) {
            return;
        }
        match frame["type"].as_str().unwrap_or_default() {
            "ack" => {
                let client_id = text(&frame["clientId"]);
                self.done(&client_id);
                // Ids with a recent prefix need not be looked up in the history.
                if let Some(prefix) = frame["clientIdPrefix"].as_str() {
                    prefix.clone_into(&mut self.prefix);
                }
                let (seq, id) = (frame["seq"].as_u64().unwrap_or(0), text(&frame["messageId"]));
                self.recorder.record(Record::Ack { client_id, room, seq, id });
            }
            "read:receipt" => {
                let (device, reader) = (self.device.clone(), text(&frame["userId"]));
                let seq = frame["seq"].as_u64().unwrap_or(0);
                self.recorder.record(Record::Receipt { device, room, reader, seq });
            }
            "resume:done" => self.resume = Resume::Done,
            "error" if frame["id"].is_null() && self.resume == Resume::Asked => self.resume = Resume::Failed,
            "error" => self.refused(&text(&frame["id"]), &text(&frame["code"])),
            "resume:gap" => {
                let head = frame["headSeq"].as_u64().unwrap_or(0);
                self.recorder.record(Record::Gap { device: self.device.clone(), room: room.clone(), head });
                self.reach(&room, head);
            }
            "conversation:added" => {
                let conversation = &frame["conversation"];
                let position = conversation["headSeq"].as_u64().unwrap_or(0);
                self.follow(text(&conversation["id"]), position);
            }
            _ if frame["prevSeq"].is_u64() => {
                let (seq, prev) =
                    (frame["seq"].as_u64().unwrap_or(0), frame["prevSeq"].as_u64().unwrap_or(0));
                let gap = self.state.borrow().positions.get(&room).is_some_and(|at| *at < prev);
                if gap && self.resume == Resume::Asked {
                    self.resume = Resume::Failed;
                    return;
                }
                let row = Row { seq, ..row(&frame["message"]) };
                let (device, of) = (self.device.clone(), room.clone());
                self.recorder.record(Record::Live { device, room: of, prev, row });
                if !self.listens {
                    self.reads.shown(&room, seq, self.recorder.now());
                }
                self.reach(&room, seq);
            }
            _ => {}
        }
    }

    fn follow(&self, room: String, position: Seq) {
        if self.state.borrow().expects.contains(&room) {
            let (user, device) = (self.user.clone(), self.device.clone());
            self.recorder.record(Record::Follow { user, device, room: room.clone(), position });
            self.state.send_modify(|state| {
                state.positions.insert(room, position);
            });
        }
    }

    /// In a room that it does not follow it has no position: events of one that it was removed from may still arrive.
    fn reach(&self, room: &str, position: Seq) {
        self.state.send_modify(|state| {
            if let Some(at) = state.positions.get_mut(room) {
                *at = position;
            }
        });
    }

    fn refused(&mut self, client_id: &str, code: &str) {
        if client_id.is_empty() {
            return;
        }
        let (id, named) = (client_id.to_owned(), code.to_owned());
        self.recorder.record(Record::Refusal { client_id: id, code: named });
        match code {
            "unavailable" | "rate_limited" | "internal" => {
                let waiting = self.waiting.iter_mut().find(|waiting| waiting.client_id == client_id);
                if let Some(waiting) = waiting {
                    waiting.again = Instant::now() + PAUSE * 2u32.pow(waiting.refusals.min(2));
                    waiting.refusals += 1;
                }
            }
            _ => {
                self.done(client_id);
                self.end(format!("a message was refused with {code}"));
            }
        }
    }

    fn done(&mut self, client_id: &str) {
        self.waiting.retain(|waiting| waiting.client_id != client_id);
        self.state.send_modify(|state| state.waiting = self.waiting.len());
    }

    fn closed(&self, message: &Message) {
        let Message::Close(Some(close)) = message else { return };
        if (4500..5000).contains(&u16::from(close.code)) {
            self.end(format!("closed with {}", close.code));
        }
    }

    fn end(&self, why: String) {
        self.state.send_modify(|state| state.ended = Some(why));
    }
}

fn frame(message: &Message) -> Option<Value> {
    serde_json::from_str(message.to_text().ok()?).ok()
}
