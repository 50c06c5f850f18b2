//! One socket, from hello to close: a single task that reads, answers, writes and keeps time.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use governor::DefaultDirectRateLimiter;
use schemas::{
    code::Code,
    event::Timestamp,
    frame::{ClientFrame, Positions, ServerFrame},
    limits,
};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::{
    app::Edge,
    auth::Identity,
    inbound::{
        answer::{self, Answer},
        decode::decode,
        hello::{self, Opened},
        lanes::{Lane, Lanes},
    },
    limit::take_local,
    outbound::write::{self, Wire},
    refusal::Refusal,
    sockets::Socket,
};

/// Serves a socket until it closes. `None` instead of a code: the client went away.
pub async fn serve(edge: Arc<Edge>, mut wire: Wire) {
    let bucket = edge.limiter.frames();
    let opened = match timeout(limits::HELLO, wait_for_hello(&edge, &mut wire, bucket.as_ref())).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(Some(code))) => return write::close(wire, code).await,
        Ok(Err(None)) => return,
        Err(_) => return write::close(wire, Code::Unauthenticated).await,
    };
    let socket = opened.socket.clone();
    let closed = Running::new(&edge, opened, bucket).run(&mut wire).await;
    hello::close(&edge, &socket);
    if let Some(code) = closed {
        metrics::counter!("natter_closed_total", "code" => code.name()).increment(1);
        write::close(wire, code).await;
    }
}

/// Why a socket ends: with a code, or because the client is gone.
type Ended = Option<Code>;

/// Answers frames before hello with errors, hello with an opened socket.
async fn wait_for_hello(
    edge: &Arc<Edge>,
    wire: &mut Wire,
    bucket: Option<&DefaultDirectRateLimiter>,
) -> Result<Opened, Ended> {
    loop {
        let message = wire.next().await;
        let Some(text) = text_of(wire, message).await? else { continue };
        take_local(bucket).map_err(|_| Some(Code::TooManyFrames))?;
        let refusal = match decode(&text) {
            Ok(ClientFrame::Hello { token, device_id, resume }) => {
                match hello::open(edge, &token, device_id, resume).await {
                    Ok(opened) => return Ok(opened),
                    Err(refusal) => refusal,
                }
            }
            Ok(_) => Refusal::new(Code::Unauthenticated, "the first frame must be hello"),
            Err(bad) => bad.refusal,
        };
        say(wire, &refusal).await?;
        match refusal.code {
            Code::Malformed | Code::Invalid => {}
            Code::Unavailable | Code::Internal => return Err(Some(Code::Restarting)),
            code => return Err(Some(code)),
        }
    }
}

async fn say(wire: &mut Wire, refusal: &Refusal) -> Result<(), Ended> {
    let frame = Utf8Bytes::from(refusal.frame(None).to_json());
    wire.send(Message::Text(frame)).await.map_err(|_| None)
}

/// The text of what was read; `None` for control frames. Who sends binary frames is told before the end.
async fn text_of(
    wire: &mut Wire,
    message: Option<Result<Message, Error>>,
) -> Result<Option<Utf8Bytes>, Ended> {
    if matches!(message, Some(Ok(Message::Binary(_)))) {
        say(wire, &Refusal::new(Code::Malformed, "frames are text, not binary")).await?;
    }
    read(message)
}

fn read(message: Option<Result<Message, Error>>) -> Result<Option<Utf8Bytes>, Ended> {
    match message {
        Some(Ok(Message::Text(text))) => Ok(Some(text)),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Binary(_)) | Err(Error::Utf8(_) | Error::Protocol(_))) => {
            Err(Some(Code::ProtocolError))
        }
        Some(Err(Error::Capacity(_))) => Err(Some(Code::FrameTooBig)),
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(None),
    }
}

struct Running<'a> {
    edge: &'a Arc<Edge>,
    socket: Arc<Socket>,
    bucket: Option<DefaultDirectRateLimiter>,
    lanes: Lanes,
    ping_at: Instant,
    /// When the shared state is told again that this user is here.
    beat_at: Instant,
    /// When the ping under way must have been answered.
    pong_by: Option<Instant>,
    token_ends: Instant,
    draining: bool,
}

impl<'a> Running<'a> {
    fn new(edge: &'a Arc<Edge>, opened: Opened, bucket: Option<DefaultDirectRateLimiter>) -> Self {
        let mut running = Self {
            edge,
            socket: opened.socket,
            bucket,
            lanes: Lanes::default(),
            ping_at: Instant::now() + limits::PING_EVERY,
            beat_at: Instant::now() + edge.presence.every(),
            pong_by: None,
            token_ends: Instant::now() + time_left(&opened.identity),
            draining: false,
        };
        if let Some(missed) = opened.resume {
            let (edge, socket) = (edge.clone(), running.socket.clone());
            let request = async move { answer::resume(&edge, &socket, missed, None).await };
            running.lanes.add(Lane::Socket, Box::pin(request));
        }
        running
    }

    async fn run(mut self, wire: &mut Wire) -> Ended {
        let stop = self.edge.lifecycle.stop().clone();
        let socket = self.socket.clone();
        loop {
            let next = self.next_deadline();
            let ended = tokio::select! {
                batch = socket.outbox.next() => self.write(wire, batch).await,
                () = self.lanes.progress() => Ok(()),
                message = wire.next(), if self.lanes.len() < limits::SOCKET_PENDING => self.hear(wire, message).await,
                () = tokio::time::sleep_until(next) => self.keep_time(wire).await,
                () = stop.cancelled(), if !self.draining => {
                    self.goodbye();
                    Ok(())
                }
            };
            if let Err(ended) = ended {
                return ended;
            }
        }
    }

    async fn write(&mut self, wire: &mut Wire, batch: crate::outbound::queue::Batch) -> Result<(), Ended> {
        tokio::select! {
            written = write::frames(wire, batch.frames) => written.map_err(|_| None)?,
            // The reader does not read: what is queued behind this write has been dropped.
            code = self.socket.outbox.cut(), if batch.close.is_none() => return Err(Some(code)),
        }
        batch.close.map_or(Ok(()), |code| Err(Some(code)))
    }

    async fn hear(&mut self, wire: &mut Wire, message: Option<Result<Message, Error>>) -> Result<(), Ended> {
        // Whatever came, the client is alive.
        self.pong_by = None;
        let Some(text) = text_of(wire, message).await? else { return Ok(()) };
        if take_local(self.bucket.as_ref()).is_err() {
            return Err(Some(Code::TooManyFrames));
        }
        match decode(&text) {
            Err(bad) => {
                self.socket.outbox.offer(&bad.refusal.frame(bad.id));
                Ok(())
            }
            Ok(frame) => match answer::answer(self.edge, &self.socket, frame).await {
                Answer::Given => Ok(()),
                Answer::Later(lane, request) => {
                    self.lanes.add(lane, request);
                    Ok(())
                }
                Answer::Renewed(identity) => {
                    self.token_ends = Instant::now() + time_left(&identity);
                    Ok(())
                }
                Answer::Close(code) => Err(Some(code)),
            },
        }
    }

    fn next_deadline(&self) -> Instant {
        self.pong_by.unwrap_or(self.ping_at).min(self.beat_at).min(self.token_ends)
    }

    async fn keep_time(&mut self, wire: &mut Wire) -> Result<(), Ended> {
        let now = Instant::now();
        if now >= self.token_ends {
            return Err(Some(Code::TokenExpired));
        }
        // While this side does not read, an unheard pong is no fault of the client.
        let reading = self.lanes.len() < limits::SOCKET_PENDING;
        if self.pong_by.is_some_and(|by| now >= by) && reading {
            return Err(Some(Code::PingTimeout));
        }
        if now >= self.beat_at {
            self.edge.presence.beat(&self.socket.beat);
            self.beat_at = now + self.edge.presence.every();
        }
        if now >= self.pong_by.unwrap_or(self.ping_at) { self.ping(wire, now).await } else { Ok(()) }
    }

    async fn ping(&mut self, wire: &mut Wire, now: Instant) -> Result<(), Ended> {
        self.ping_at = now + limits::PING_EVERY;
        self.pong_by = Some(now + limits::PONG_WITHIN);
        self.tell_heads();
        match timeout(limits::PONG_WITHIN, wire.send(Message::Ping(bytes::Bytes::new()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(None),
            Err(_) => Err(Some(Code::PingTimeout)),
        }
    }

    /// The heads of what is joined: a client that lost a last message sees it here.
    fn tell_heads(&self) {
        let joined: Vec<_> = self.socket.joined.lock().keys().copied().collect();
        let heads = joined.into_iter().filter_map(|c| self.edge.hub.last(c).map(|head| (c, head)));
        let positions: Positions = heads.collect();
        if !positions.is_empty() {
            self.socket.outbox.offer(&ServerFrame::Heads { positions });
        }
    }

    /// The node drains: say so, write what is queued, close.
    fn goodbye(&mut self) {
        self.draining = true;
        // Spread over a few seconds, thousands of clients do not come back at the same moment.
        let retry_after_ms = 500 + u64::from(self.socket.session.as_bytes()[15]) * 8;
        self.socket.outbox.offer(&ServerFrame::Goodbye { reason: Code::Restarting, retry_after_ms });
        self.socket.outbox.close(Code::Restarting);
    }
}

fn time_left(identity: &Identity) -> Duration {
    identity.time_left(Timestamp::now())
}
