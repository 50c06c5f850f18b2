//! Publishes single events and routes the log's acks back to their publishers, over one inbox. Events that come close
//! together are sent in one packet: each packet wakes the server, and each ack this process, whatever it holds.
//!
//! Arrives: an event to publish now. Leaves: the server's ack. Fails: with why there is none ([`NoAck`]), after one
//! attempt's time at most.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client, Message,
    client::PublishErrorKind,
    header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID},
};
use bytes::Bytes;
use futures_util::StreamExt;
use natter_schemas::{decision::Proof, id::Seq, limits, trace_context::TraceContext};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinSet, yield_now},
    time::{Instant, sleep_until, timeout},
};

use crate::{connect::carrier, header, message};

/// Between two packets at least. Where few events come each is sent at once; at 1,000 a second two share a packet.
const FLUSH_INTERVAL: Duration = Duration::from_millis(2);

#[derive(Clone)]
pub struct AckRouter {
    client: Client,
    queue: mpsc::Sender<Outgoing>,
    pending: Arc<PendingAcks>,
    /// Ends with the last clone.
    _task: Arc<JoinSet<()>>,
}

/// An event that is published by itself.
#[derive(Clone)]
pub struct SingleEvent {
    pub subject: String,
    pub id: String,
    pub payload: Bytes,
    /// The seq of the last event on its subject (0: there is none), or the server refuses it. One that is stored
    /// already is answered as such all the same.
    pub after: Option<Seq>,
    /// That a worker decided it.
    pub proof: Option<Proof>,
    /// The span that it comes from.
    pub origin: Option<TraceContext>,
}

struct Outgoing {
    event: SingleEvent,
    number: u64,
}

/// Why there is no ack.
pub enum NoAck {
    /// It can never be sent.
    Rejected(String),
    /// It may be stored.
    Unknown(String),
}

impl NoAck {
    fn closed() -> Self {
        Self::Unknown("the connection is closed".to_owned())
    }
}

type Ack = Result<Message, NoAck>;

/// Publishers that wait for an ack, by the last token of the subject that it comes to.
struct PendingAcks {
    inbox: String,
    next: AtomicU64,
    all: Mutex<HashMap<u64, Waiter>>,
}

struct Waiter {
    /// The connection that its event was sent over, or will be.
    carrier: u64,
    sender: oneshot::Sender<Ack>,
}

/// One of them, until it is dropped.
struct PendingAck<'a> {
    number: u64,
    pending: &'a PendingAcks,
}

impl Drop for PendingAck<'_> {
    fn drop(&mut self) {
        self.pending.all.lock().remove(&self.number);
    }
}

impl AckRouter {
    pub fn start(client: Client) -> Self {
        let (queue, outgoing) = mpsc::channel(limits::PUBLISHES_IN_FLIGHT);
        let pending = Arc::new(PendingAcks {
            inbox: client.new_inbox(),
            next: AtomicU64::new(0),
            all: Mutex::default(),
        });
        let mut task = JoinSet::new();
        task.spawn(run(client.clone(), outgoing, pending.clone()));
        Self { client, queue, pending, _task: Arc::new(task) }
    }

    /// Publishes once and waits for the ack.
    pub async fn publish(&self, event: SingleEvent) -> Ack {
        let number = self.pending.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        let carrier = carrier::of_next(&self.client);
        self.pending.all.lock().insert(number, Waiter { carrier, sender });
        let _pending = PendingAck { number, pending: &self.pending };
        self.queue.send(Outgoing { event, number }).await.map_err(|_| NoAck::closed())?;
        match timeout(limits::PUBLISH_ATTEMPT, answer).await {
            Ok(answer) => answer.map_err(|_| NoAck::closed())?,
            Err(_) => Err(NoAck::Unknown("no answer".to_owned())),
        }
    }
}

async fn run(client: Client, outgoing: mpsc::Receiver<Outgoing>, pending: Arc<PendingAcks>) {
    let mut answers = match client.subscribe(format!("{}.*", pending.inbox)).await {
        Ok(answers) => answers,
        Err(error) => {
            return tracing::error!(%error, "acks cannot be subscribed to; every publish fails");
        }
    };
    let routing = async {
        while let Some(answer) = answers.next().await {
            pending.route(answer);
        }
    };
    tokio::select! {
        () = send(&client, outgoing, &pending) => {}
        () = routing => {}
        () = give_up_lost(&client, &pending) => {}
    }
}

/// A new connection brings no acks of the one before: their publishers repeat at once instead of waiting in vain.
async fn give_up_lost(client: &Client, pending: &PendingAcks) {
    loop {
        let current = carrier::current(client);
        pending.give_up_before(current);
        carrier::replaced(client, current).await;
    }
}

async fn send(client: &Client, mut queue: mpsc::Receiver<Outgoing>, pending: &PendingAcks) {
    let mut next_flush = Instant::now();
    while let Some(first) = queue.recv().await {
        if Instant::now() < next_flush {
            sleep_until(next_flush).await;
        } else {
            // Tasks that are about to publish share the packet.
            yield_now().await;
        }
        let mut next = Some(first);
        while let Some(outgoing) = next {
            let number = outgoing.number;
            if let Err(no_ack) = send_one(client, outgoing, &pending.inbox).await {
                pending.resolve(number, Err(no_ack));
            }
            next = queue.try_recv().ok();
        }
        next_flush = Instant::now() + FLUSH_INTERVAL;
    }
}

async fn send_one(client: &Client, outgoing: Outgoing, inbox: &str) -> Result<(), NoAck> {
    let Outgoing { event: SingleEvent { subject, id, payload, after, proof, origin }, number } = outgoing;
    let mut headers = message::headers(&subject);
    headers.insert(NATS_MESSAGE_ID, id);
    if let Some(after) = after {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, after.to_string());
    }
    header::set_proof(&mut headers, proof);
    header::set_trace_context(&mut headers, origin);
    let sent =
        client.publish_with_reply_and_headers(subject, format!("{inbox}.{number}"), headers, payload).await;
    sent.map_err(|error| match error.kind() {
        PublishErrorKind::Send => NoAck::Unknown(error.to_string()),
        PublishErrorKind::InvalidSubject | PublishErrorKind::MaxPayloadExceeded => {
            NoAck::Rejected(error.to_string())
        }
    })
}

impl PendingAcks {
    fn route(&self, answer: Message) {
        let number = answer.subject.rsplit('.').next().and_then(|number| number.parse().ok());
        if let Some(number) = number {
            self.resolve(number, Ok(answer));
        }
    }

    fn give_up_before(&self, connection: u64) {
        let lost: Vec<Waiter> = self
            .all
            .lock()
            .extract_if(|_, waiter| waiter.carrier < connection)
            .map(|(_, waiter)| waiter)
            .collect();
        for waiter in lost {
            // A publisher that has gone needs no ack.
            drop(waiter.sender.send(Err(NoAck::Unknown("the connection broke".to_owned()))));
        }
    }

    fn resolve(&self, number: u64, answer: Ack) {
        let waiter = self.all.lock().remove(&number);
        // A publisher that has gone needs no ack.
        if let Some(waiter) = waiter {
            drop(waiter.sender.send(answer));
        }
    }
}
