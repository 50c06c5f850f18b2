//! The way of single events to the log and of its answers back. Events that come close together leave together: each
//! packet wakes the server, and each answer this process, whatever it holds.
//!
//! Arrives: an event that may go. Leaves: the server's answer. Fails: with why there is none ([`Silence`]);
//! who waits for longer than an attempt may take gives up.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, HeaderMap, Message, client::PublishErrorKind, header::NATS_MESSAGE_ID};
use bytes::Bytes;
use futures_util::StreamExt;
use natter_schemas::limits;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
    time::{Instant, sleep_until, timeout},
};

/// Between two packets at least. A quiet log answers at once; at 1,000 events a second two leave together.
const EVERY: Duration = Duration::from_millis(2);

#[derive(Clone)]
pub struct Line {
    queue: mpsc::Sender<Outgoing>,
    waiting: Arc<Waiting>,
}

struct Outgoing {
    subject: String,
    id: String,
    payload: Bytes,
    number: u64,
}

/// Why there is no answer.
pub enum Silence {
    /// It can never leave.
    RpcError(String),
    /// It may have come to the log.
    Unknown(String),
}

impl Silence {
    fn closed() -> Self {
        Self::Unknown("the connection is closed".to_owned())
    }
}

type Answer = Result<Message, Silence>;

/// Who waits for an answer, by the last word of the subject that it comes to.
struct Waiting {
    inbox: String,
    next: AtomicU64,
    all: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
}

/// A place among those who wait, until it is dropped.
struct Place<'a> {
    number: u64,
    waiting: &'a Waiting,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.all.lock().remove(&self.number);
    }
}

impl Line {
    /// It ends when nobody holds it any more.
    pub fn start(client: Client) -> Self {
        let (queue, due) = mpsc::channel(limits::PUBLISHES_IN_FLIGHT);
        let waiting =
            Arc::new(Waiting { inbox: client.new_inbox(), next: AtomicU64::new(0), all: Mutex::default() });
        tokio::spawn(run(client, due, waiting.clone()));
        Self { queue, waiting }
    }

    /// Publishes once and waits for the answer.
    pub async fn ask(&self, subject: &str, id: &str, payload: Bytes) -> Answer {
        let number = self.waiting.next.fetch_add(1, Ordering::Relaxed);
        let (tell, answer) = oneshot::channel();
        self.waiting.all.lock().insert(number, tell);
        let _place = Place { number, waiting: &self.waiting };
        let outgoing = Outgoing { subject: subject.to_owned(), id: id.to_owned(), payload, number };
        self.queue.send(outgoing).await.map_err(|_| Silence::closed())?;
        match timeout(limits::PUBLISH_ATTEMPT, answer).await {
            Ok(answer) => answer.map_err(|_| Silence::closed())?,
            Err(_) => Err(Silence::Unknown("no answer".to_owned())),
        }
    }
}

async fn run(client: Client, due: mpsc::Receiver<Outgoing>, waiting: Arc<Waiting>) {
    let mut answers = match client.subscribe(format!("{}.*", waiting.inbox)).await {
        Ok(answers) => answers,
        Err(error) => return tracing::error!(%error, "no answers of the log can be heard"),
    };
    let hears = async {
        while let Some(answer) = answers.next().await {
            waiting.heard(answer);
        }
    };
    tokio::select! {
        () = send(&client, due, &waiting) => {}
        () = hears => {}
    }
}

async fn send(client: &Client, mut due: mpsc::Receiver<Outgoing>, waiting: &Waiting) {
    let mut opens = Instant::now();
    while let Some(first) = due.recv().await {
        if Instant::now() < opens {
            sleep_until(opens).await;
        } else {
            // Whoever is about to publish comes along.
            yield_now().await;
        }
        let mut next = Some(first);
        while let Some(outgoing) = next {
            let number = outgoing.number;
            if let Err(silence) = publish(client, outgoing, &waiting.inbox).await {
                waiting.tell(number, Err(silence));
            }
            next = due.try_recv().ok();
        }
        opens = Instant::now() + EVERY;
    }
}

async fn publish(client: &Client, outgoing: Outgoing, inbox: &str) -> Result<(), Silence> {
    let Outgoing { subject, id, payload, number } = outgoing;
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, id);
    let sent =
        client.publish_with_reply_and_headers(subject, format!("{inbox}.{number}"), headers, payload).await;
    sent.map_err(|error| match error.kind() {
        PublishErrorKind::Send => Silence::Unknown(error.to_string()),
        PublishErrorKind::InvalidSubject | PublishErrorKind::MaxPayloadExceeded => {
            Silence::RpcError(error.to_string())
        }
    })
}

impl Waiting {
    fn heard(&self, answer: Message) {
        let number = answer.subject.rsplit('.').next().and_then(|number| number.parse().ok());
        if let Some(number) = number {
            self.tell(number, Ok(answer));
        }
    }

    fn tell(&self, number: u64, answer: Answer) {
        let waits = self.all.lock().remove(&number);
        // Whoever is gone does not need to know.
        if let Some(waits) = waits {
            drop(waits.send(answer));
        }
    }
}
