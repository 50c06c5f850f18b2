//! One socket of the load: a cheap task that sends what is due and notes what comes back.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use schemas::{
    frame::{ClientFrame, RequestId, SUBPROTOCOL},
    id::{ConversationId, EventId, Seq},
};
use serde::Deserialize;
use tokio::{net::TcpStream, sync::watch, time::Instant};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::WebSocketConfig,
    },
};

use crate::{
    check::{Fate, Fault, Name, Witness},
    pace::Pace,
    step::Tally,
};

/// Small on purpose: thousands of sockets share one process.
pub const BUFFER: usize = 4 * 1024;

pub struct Socket {
    pub index: u32,
    pub room: ConversationId,
    stream: WebSocketStream<TcpStream>,
    /// By number of the message.
    pub fates: Vec<Fate>,
    pub witness: Witness,
}

/// What a step asks of a socket.
pub struct Orders<'a> {
    pub start: Instant,
    /// Messages tell their due time counted from here, so that the other side knows their latency.
    pub origin: Instant,
    pub pace: Pace,
    pub bytes: usize,
    pub tally: &'a Tally,
    pub stop: watch::Receiver<bool>,
}

/// Microseconds, one entry a message.
#[derive(Debug, Default)]
pub struct Samples {
    /// Due until acked.
    pub ack: Vec<u64>,
    /// Due until on the other side.
    pub delivery: Vec<u64>,
    /// Due until written: what the bench itself adds.
    pub lateness: Vec<u64>,
    pub refusals: BTreeMap<String, u64>,
}

impl Socket {
    /// Connects and says hello; `head` is the room's newest seq now.
    pub async fn open(
        host: &str,
        token: &str,
        index: u32,
        (room, head): (ConversationId, Seq),
    ) -> anyhow::Result<Self> {
        let tcp = TcpStream::connect(host).await.with_context(|| format!("connecting to {host}"))?;
        tcp.set_nodelay(true)?;
        let mut request = format!("ws://{host}/ws").into_client_request()?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
        let (mut stream, _) = client_async_with_config(request, tcp, Some(config)).await?;

        let device_id = Some(format!("bench-{index}"));
        let hello = ClientFrame::Hello { token: token.to_owned(), device_id, resume: None };
        stream.send(Message::text(serde_json::to_string(&hello)?)).await?;
        let first = stream.next().await.context("closed before welcome")??;
        // What else it holds is the server's: the bare relay's says nothing more.
        if !first.to_text()?.starts_with(r#"{"type":"welcome""#) {
            bail!("expected welcome, got {first}");
        }
        Ok(Self { index, room, stream, fates: Vec::new(), witness: Witness::new(index, head) })
    }

    /// Sends what is due and listens until told to stop.
    pub async fn step(self, orders: Orders<'_>) -> (Self, Samples) {
        let Self { index, room, stream, fates, witness } = self;
        let (mut sink, mut source) = stream.split();
        let base = fates.len();
        let mut listener = Listener { index, base, fates, witness, samples: Samples::default() };
        let writing = write(&mut sink, index, room, base, &orders);
        let ((sent, lateness), ()) = tokio::join!(writing, listener.listen(&mut source, &orders));

        let Listener { mut fates, witness, mut samples, .. } = listener;
        fates.resize(base + sent, Fate::Waiting);
        samples.lateness = lateness;
        let stream = source.reunite(sink).expect("both halves come from this stream");
        (Self { index, room, stream, fates, witness }, samples)
    }

    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
    }
}

type Sink = futures_util::stream::SplitSink<WebSocketStream<TcpStream>, Message>;
type Source = futures_util::stream::SplitStream<WebSocketStream<TcpStream>>;

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

async fn write(
    sink: &mut Sink,
    index: u32,
    room: ConversationId,
    base: usize,
    orders: &Orders<'_>,
) -> (usize, Vec<u64>) {
    let mut lateness = Vec::new();
    for (nth, due) in orders.pace.all().enumerate() {
        let at = orders.start + due;
        tokio::time::sleep_until(at).await;
        let number = base + nth;
        let frame = ClientFrame::Send {
            id: i64::try_from(number).ok().map(RequestId::Number),
            conversation_id: room,
            content: content(index, number, micros(at - orders.origin), orders.bytes),
            client_id: format!("{index}-{number}"),
            reply_to: None,
            retry: false,
        };
        let json = serde_json::to_string(&frame).expect("frames have string keys only");
        // Counted before it is written: an answer may come before the next line.
        orders.tally.sent();
        if sink.send(Message::text(json)).await.is_err() {
            orders.tally.written();
            return (nth + 1, lateness);
        }
        lateness.push(micros(at.elapsed()));
    }
    orders.tally.written();
    (lateness.len(), lateness)
}

/// Says who it is and when it was due, filled up to the size asked for.
fn content(index: u32, number: usize, due: u64, bytes: usize) -> String {
    let head = format!("{index} {number} {due} ");
    format!("{head:x<bytes$}")
}

/// The name and the due time, in microseconds from the run's origin.
pub fn parse_content(content: &str) -> Option<(Name, u64)> {
    let mut words = content.split(' ');
    let name = Name { socket: words.next()?.parse().ok()?, number: words.next()?.parse().ok()? };
    Some((name, words.next()?.parse().ok()?))
}

struct Listener {
    index: u32,
    base: usize,
    fates: Vec<Fate>,
    witness: Witness,
    samples: Samples,
}

impl Listener {
    async fn listen(&mut self, source: &mut Source, orders: &Orders<'_>) {
        let mut stop = orders.stop.clone();
        loop {
            let frame = tokio::select! {
                frame = source.next() => frame,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match frame {
                Some(Ok(Message::Text(text))) => {
                    if self.frame(&text, orders).is_none() {
                        let frame = text.chars().take(300).collect();
                        self.witness.faults.push(Fault::NotTheProtocol { socket: self.index, frame });
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => return self.closed(format!("{other:?}")),
                Some(Err(Error::ConnectionClosed)) | None => return self.closed("end of stream".into()),
                Some(Err(e)) => return self.closed(e.to_string()),
            }
        }
    }

    fn closed(&mut self, why: String) {
        self.witness.faults.push(Fault::Closed { socket: self.index, why });
    }

    /// `None`: not a frame of the protocol.
    fn frame(&mut self, text: &str, orders: &Orders<'_>) -> Option<()> {
        // `type` comes first by contract, so the rest is parsed once, into what this type needs.
        let (kind, _) = text.strip_prefix("{\"type\":\"")?.split_once('"')?;
        match kind {
            "message:new" => self.message(&serde_json::from_str(text).ok()?, orders),
            "ack" => self.acked(&serde_json::from_str(text).ok()?, orders)?,
            "error" => self.refused(serde_json::from_str(text).ok()?, orders.tally),
            _ => {
                let place: PlaceOnly = serde_json::from_str(text).ok()?;
                if let (Some(seq), Some(prev)) = (place.seq, place.prev_seq) {
                    self.witness.event(seq, prev, None);
                }
            }
        }
        Some(())
    }

    fn message(&mut self, new: &New<'_>, orders: &Orders<'_>) {
        let parsed = new.message.content.as_deref().and_then(parse_content);
        self.witness.event(new.seq, new.prev_seq, parsed.map(|(name, _)| name));
        orders.tally.delivered();
        if let Some((name, due)) = parsed
            && name.socket != self.index
        {
            self.samples.delivery.push(micros(orders.origin.elapsed()).saturating_sub(due));
        }
    }

    fn acked(&mut self, ack: &Ack, orders: &Orders<'_>) -> Option<()> {
        self.decide(ack.id, Fate::Acked { seq: ack.seq, id: ack.message_id })?;
        orders.tally.acked();
        if let Some(due) = ack.id.checked_sub(self.base).and_then(|nth| orders.pace.due(nth)) {
            self.samples.ack.push(micros((orders.start + due).elapsed()));
        }
        Some(())
    }

    fn refused(&mut self, error: Refusal<'_>, tally: &Tally) {
        *self.samples.refusals.entry(error.code.into_owned()).or_default() += 1;
        if let Some(id) = error.id
            && self.decide(id, Fate::Refused).is_some()
        {
            tally.refused();
        }
    }

    /// `None`: this one had its answer.
    fn decide(&mut self, number: usize, fate: Fate) -> Option<()> {
        if number >= self.fates.len() {
            self.fates.resize(number + 1, Fate::Waiting);
        }
        let slot = self.fates.get_mut(number)?;
        (*slot == Fate::Waiting).then(|| *slot = fate)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct New<'a> {
    seq: Seq,
    prev_seq: Seq,
    #[serde(borrow)]
    message: NewMessage<'a>,
}

#[derive(Deserialize)]
struct NewMessage<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ack {
    id: usize,
    seq: Seq,
    message_id: EventId,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    id: Option<usize>,
    #[serde(borrow)]
    code: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlaceOnly {
    seq: Option<Seq>,
    prev_seq: Option<Seq>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_has_its_size_and_tells_its_name() {
        let text = content(12, 345, 6_789, 200);
        assert_eq!(text.len(), 200);
        assert_eq!(parse_content(&text), Some((Name { socket: 12, number: 345 }, 6_789)));
        assert_eq!(parse_content("hello there"), None);
    }
}
