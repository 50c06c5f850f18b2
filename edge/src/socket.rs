//! One socket, from hello to close: a single task that reads, answers, writes and keeps time.

use std::{pin::pin, sync::Arc, time::Duration};

use governor::DefaultDirectRateLimiter;
use natter_schemas::{
    code::Code,
    event::Timestamp,
    frame::{ClientFrame, Positions, ServerFrame},
    limits,
};
use tokio::{
    net::tcp::OwnedWriteHalf,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, error::ProtocolError};

use crate::{
    api_error::ApiError,
    app::Edge,
    auth::Identity,
    inbound::{
        answer::{self, Answer},
        decode::decode,
        hello::{self, Opened},
        lanes::{Lane, Lanes},
        source::Source,
    },
    limit::take_local,
    outbound::{
        frame::Frame,
        outbox::{Ended, Outbox},
    },
    sockets::Socket,
};

/// After our close frame the client may still be sending; a connection cut with unread bytes is reset, and the
/// reset can overtake the close frame. So what still comes is read and dropped for a moment.
const LINGER: Duration = Duration::from_secs(2);

/// Serves a socket until it closes.
pub async fn serve(edge: Arc<Edge>, mut source: Source, sink: OwnedWriteHalf) {
    let bucket = edge.limiter.frames();
    let lobby = Lobby { edge: &edge, bucket: bucket.as_ref(), source: &mut source, sink: &sink };
    // Boxed, as is the end: the socket does not carry them through its life.
    let (outbox, ended) = match timeout(limits::HELLO, Box::pin(lobby.wait_for_hello())).await {
        Ok(Ok(opened)) => {
            let socket = opened.socket.clone();
            socket.outbox.connect(sink, edge.flushers.pick());
            let ended = Running::new(&edge, opened, bucket).run(&mut source).await;
            hello::close(&edge, &socket);
            if let Some(code) = ended {
                metrics::counter!("natter_closed_total", "code" => code.name()).increment(1);
            }
            (socket.outbox.clone(), ended)
        }
        refused => {
            let outbox = Arc::new(Outbox::default());
            outbox.connect(sink, edge.flushers.pick());
            (outbox, refused.unwrap_or(Err(Some(Code::Unauthenticated))).err().flatten())
        }
    };
    if let Some(code) = ended {
        Box::pin(close(&outbox, source, code)).await;
    }
}

/// Says why, and ends. A slow reader gets a grace to read what the kernel holds for it.
async fn close(outbox: &Arc<Outbox>, source: Source, code: Code) {
    let grace = if code == Code::SlowReader { limits::SLOW_CLOSE_GRACE } else { LINGER };
    if timeout(grace, outbox.finish(code)).await.is_ok() {
        let _ = timeout(LINGER, source.drop_input()).await;
    }
}

/// A connection that has not said hello.
struct Lobby<'a> {
    edge: &'a Arc<Edge>,
    bucket: Option<&'a DefaultDirectRateLimiter>,
    source: &'a mut Source,
    sink: &'a OwnedWriteHalf,
}

impl Lobby<'_> {
    /// Answers frames before hello with errors, hello with an opened socket.
    async fn wait_for_hello(self) -> Result<Opened, Ended> {
        loop {
            let (message, reply) = self.source.next().await;
            if let Some(reply) = reply {
                self.write(&reply).await?;
            }
            let text = match read(message) {
                Heard::Text(text) => text,
                Heard::Nothing => continue,
                Heard::Binary(refusal) => {
                    self.say(&refusal).await?;
                    return Err(Some(Code::ProtocolError));
                }
                Heard::End(ended) => return Err(ended),
            };
            take_local(self.bucket).map_err(|_| Some(Code::TooManyFrames))?;
            let refusal = match decode(&text, &self.edge.config.limits) {
                Ok(ClientFrame::Hello { token, device_id, resume }) => {
                    match hello::open(self.edge, &token, device_id, resume).await {
                        Ok(opened) => return Ok(opened),
                        Err(refusal) => refusal,
                    }
                }
                Ok(_) => ApiError::new(Code::Unauthenticated, "the first frame must be hello"),
                Err(bad) => bad.refusal,
            };
            self.say(&refusal).await?;
            match refusal.code {
                Code::Malformed | Code::Invalid => {}
                Code::Unavailable | Code::Internal => return Err(Some(Code::Restarting)),
                code => return Err(Some(code)),
            }
        }
    }

    async fn say(&self, refusal: &ApiError) -> Result<(), Ended> {
        self.write(&Frame::text(&refusal.frame(None))).await
    }

    /// Written at once and waited for: nothing queues for a stranger.
    async fn write(&self, frame: &Frame) -> Result<(), Ended> {
        let mut rest = frame.bytes();
        while !rest.is_empty() {
            self.sink.writable().await.map_err(|_| None)?;
            match self.sink.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(None),
            }
        }
        Ok(())
    }
}

enum Heard {
    Text(Utf8Bytes),
    /// Frames of the protocol.
    Nothing,
    /// Who sends binary frames is told before the end.
    Binary(ApiError),
    End(Ended),
}

fn read(message: Result<Message, Error>) -> Heard {
    match message {
        Ok(Message::Text(text)) => Heard::Text(text),
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Heard::Nothing,
        Ok(Message::Binary(_)) => {
            Heard::Binary(ApiError::new(Code::Malformed, "frames are text, not binary"))
        }
        Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Heard::End(None),
        Err(Error::Utf8(_) | Error::Protocol(_)) => Heard::End(Some(Code::ProtocolError)),
        Err(Error::Capacity(_)) => Heard::End(Some(Code::FrameTooBig)),
        Ok(Message::Close(_)) | Err(_) => Heard::End(None),
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

    async fn run(mut self, source: &mut Source) -> Ended {
        let stop = self.edge.lifecycle.stop().clone();
        let outbox = self.socket.outbox.clone();
        // Made once and not for every frame: each of them enters a list under a lock.
        let mut stopped = pin!(stop.cancelled());
        let mut tended = pin!(outbox.tend());
        let mut timer = pin!(sleep_until(self.next_deadline()));
        loop {
            let done = tokio::select! {
                biased;
                ended = &mut tended => Err(ended),
                () = &mut stopped, if !self.draining => {
                    self.goodbye();
                    Ok(())
                }
                () = &mut timer => {
                    let kept = self.keep_time();
                    timer.as_mut().reset(self.next_deadline());
                    kept
                }
                () = self.lanes.progress() => Ok(()),
                (message, reply) = source.next(), if self.lanes.len() < limits::SOCKET_PENDING => {
                    if let Some(reply) = reply {
                        outbox.push(reply);
                    }
                    let heard = self.hear(message).await;
                    // A deadline that moved away is noticed when it comes; one that came nearer is not.
                    if self.next_deadline() < timer.deadline() {
                        timer.as_mut().reset(self.next_deadline());
                    }
                    heard
                }
            };
            if let Err(ended) = done {
                return ended;
            }
        }
    }

    async fn hear(&mut self, message: Result<Message, Error>) -> Result<(), Ended> {
        // Whatever came, the client is alive.
        self.pong_by = None;
        let text = match read(message) {
            Heard::Text(text) => text,
            Heard::Nothing => return Ok(()),
            Heard::Binary(refusal) => {
                self.socket.outbox.offer(&refusal.frame(None));
                return Err(Some(Code::ProtocolError));
            }
            Heard::End(ended) => return Err(ended),
        };
        if take_local(self.bucket.as_ref()).is_err() {
            return Err(Some(Code::TooManyFrames));
        }
        match decode(&text, &self.edge.config.limits) {
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

    fn keep_time(&mut self) -> Result<(), Ended> {
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
            self.edge.presence.heartbeat(&self.socket.heartbeat);
            self.beat_at = now + self.edge.presence.every();
        }
        if now >= self.pong_by.unwrap_or(self.ping_at) {
            self.ping(now);
        }
        Ok(())
    }

    fn ping(&mut self, now: Instant) {
        self.ping_at = now + limits::PING_EVERY;
        self.pong_by = Some(now + limits::PONG_WITHIN);
        self.tell_heads();
        self.socket.outbox.push(Frame::ping());
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
