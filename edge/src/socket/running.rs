//! A socket after its hello: reads, answers and keeps time until it ends.

use std::{pin::pin, sync::Arc};

use natter_schemas::{
    code::Code,
    frame::{Positions, ServerFrame},
    limits,
};
use tokio::time::{Instant, sleep_until};

use super::{
    answer::{self, resume},
    client::{Answer, Client},
    incoming::Incoming,
    request_queues::{RequestQueue, RequestQueues},
};
use crate::{
    admission::FrameLimit,
    api_error::ApiError,
    app::App,
    auth::Identity,
    costs,
    inbound::{hello::Accepted, read_marks::SocketReads, registration::Registration},
    outbound::{departure::retry_after, send_queue::Ended},
    wire::{
        decode,
        frame::Frame,
        source::{Received, Source},
    },
};

/// Where a socket is on its way out of a node that drains.
#[derive(Clone, Copy)]
enum Leaving {
    No,
    /// It works until then.
    At(Instant),
    /// `goodbye` is sent: nothing is read any more, and what was asked is answered until then.
    Answering(Instant),
    /// Closes once everything queued is written.
    Closing,
}

pub struct Running {
    client: Arc<Client>,
    frames: FrameLimit,
    requests: RequestQueues,
    ping_at: Instant,
    heartbeat_at: Instant,
    /// When the ping under way must have been answered.
    pong_by: Option<Instant>,
    token_ends: Instant,
    leaving: Leaving,
    /// Takes the socket out of everything when this is dropped.
    _registration: Registration,
}

impl Running {
    pub fn new(app: &Arc<App>, accepted: Accepted, frames: FrameLimit) -> Self {
        let Accepted { registration, identity, limits, prefix, resume } = accepted;
        let socket = registration.clone();
        let mut running = Self {
            client: Arc::new(Client {
                app: app.clone(),
                socket,
                limits,
                reads: SocketReads::default(),
                prefix,
            }),
            frames,
            requests: RequestQueues::default(),
            ping_at: Instant::now() + limits::PING_EVERY,
            heartbeat_at: Instant::now() + app.heartbeats.interval(),
            pong_by: None,
            token_ends: Instant::now() + identity.time_left(app.clock.now()),
            leaving: Leaving::No,
            _registration: registration,
        };
        if let Some(pending) = resume {
            running.requests.add(RequestQueue::Socket, resume::request(&running.client, None, pending));
        }
        running
    }

    pub async fn run(mut self, source: &mut Source) -> Ended {
        let lifecycle = self.client.app.lifecycle.clone();
        let queue = self.client.socket.queue.clone();
        // Made once and not for every frame: each of them enters a list under a lock.
        let mut draining = pin!(lifecycle.draining().cancelled());
        let mut stopped = pin!(lifecycle.stop().cancelled());
        let mut queue_ended = pin!(queue.ended());
        let mut timer = pin!(sleep_until(self.next_deadline()));
        loop {
            let done = tokio::select! {
                biased;
                ended = &mut queue_ended => Err(ended),
                () = &mut stopped, if !matches!(self.leaving, Leaving::Closing) => {
                    self.close();
                    Ok(())
                }
                () = &mut draining, if matches!(self.leaving, Leaving::No) => {
                    self.leave_later();
                    timer.as_mut().reset(self.next_deadline());
                    Ok(())
                }
                () = &mut timer => {
                    let kept = self.keep_time();
                    timer.as_mut().reset(self.next_deadline());
                    kept
                }
                () = self.requests.progress() => Ok(()),
                received = source.next(), if self.reads() => {
                    let received = self.receive(received).await;
                    // A deadline that moved away is noticed when it comes; one that came nearer is not.
                    if self.next_deadline() < timer.deadline() {
                        timer.as_mut().reset(self.next_deadline());
                    }
                    received
                }
            };
            if let Err(ended) = done {
                return ended;
            }
            if matches!(self.leaving, Leaving::Answering(_)) && self.requests.len() == 0 {
                self.close();
            }
        }
    }

    async fn receive(&mut self, received: Received) -> Result<(), Ended> {
        // Whatever came, the client is alive.
        self.pong_by = None;
        self.client.socket.activity.heard();
        let Received { message, reply, frames } = received;
        self.frames.take(frames).map_err(|_| Some(Code::TooManyFrames))?;
        if let Some(reply) = reply {
            self.client.socket.queue.push(reply);
        }
        let text = match Incoming::from(message) {
            Incoming::Text(text) => text,
            Incoming::Control => return Ok(()),
            Incoming::Binary(error) => {
                self.client.send(&error.frame(None));
                return Err(Some(Code::ProtocolError));
            }
            Incoming::End(ended) => return Err(ended),
        };
        match decode::decode(&text, &self.client.app.config.limits) {
            Err(rejected) => {
                self.client.send(&rejected.error.frame(rejected.id));
                Ok(())
            }
            Ok(frame) => {
                if let Err(error) = self.client.limits.take(costs::of_frame(&frame)) {
                    self.client.send(&error.frame(frame.id().cloned()));
                    return Ok(());
                }
                let answer = answer::answer(&self.client, frame).await;
                self.follow(answer)
            }
        }
    }

    /// Not while too many requests wait, nor after `goodbye`.
    fn reads(&self) -> bool {
        self.requests.len() < limits::SOCKET_PENDING && matches!(self.leaving, Leaving::No | Leaving::At(_))
    }

    fn end_of(&self, identity: &Identity) -> Instant {
        Instant::now() + identity.time_left(self.client.app.clock.now())
    }

    fn follow(&mut self, answer: Answer) -> Result<(), Ended> {
        match answer {
            Answer::Done => {}
            Answer::Queued(queue, request) => self.requests.add(queue, request),
            Answer::Renewed(identity) => self.token_ends = self.end_of(&identity),
            Answer::Close(code) => return Err(Some(code)),
        }
        Ok(())
    }

    fn next_deadline(&self) -> Instant {
        let next = self.pong_by.unwrap_or(self.ping_at).min(self.heartbeat_at).min(self.token_ends);
        match self.leaving {
            Leaving::At(at) | Leaving::Answering(at) => next.min(at),
            Leaving::No | Leaving::Closing => next,
        }
    }

    fn keep_time(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if now >= self.token_ends {
            self.client.send(&ApiError::from(Code::TokenExpired).frame(None));
            return Err(Some(Code::TokenExpired));
        }
        match self.leaving {
            Leaving::At(at) if now >= at => self.send_goodbye(),
            Leaving::Answering(until) if now >= until => self.close(),
            Leaving::No | Leaving::At(_) | Leaving::Answering(_) | Leaving::Closing => {}
        }
        // While this side does not read, a pong that was not seen is no fault of the client.
        if self.pong_by.is_some_and(|by| now >= by) && self.reads() {
            return Err(Some(Code::PingTimeout));
        }
        if now >= self.heartbeat_at {
            let heartbeats = &self.client.app.heartbeats;
            heartbeats.send(&self.client.socket.heartbeat);
            self.heartbeat_at = now + heartbeats.interval();
        }
        if now >= self.pong_by.unwrap_or(self.ping_at) {
            self.ping(now);
        }
        Ok(())
    }

    fn ping(&mut self, now: Instant) {
        self.ping_at = now + limits::PING_EVERY;
        self.pong_by = Some(now + limits::PONG_WITHIN);
        self.send_heads();
        self.client.socket.activity.pinged();
        self.client.socket.queue.push(Frame::ping());
    }

    /// The heads of what is joined: a client that lost a last message finds it by them.
    fn send_heads(&self) {
        let Client { app, socket, .. } = &*self.client;
        let joined: Vec<_> = socket.joined.lock().keys().copied().collect();
        let heads = joined.into_iter().filter_map(|c| app.hub.last(c).map(|head| (c, head)));
        let positions: Positions = heads.collect();
        if !positions.is_empty() {
            socket.queue.send(&ServerFrame::Heads { positions });
        }
    }

    /// The node drains: this socket goes on as before until its turn comes.
    fn leave_later(&mut self) {
        let Client { app, socket, .. } = &*self.client;
        self.leaving = Leaving::At(app.departure.time_of(socket, &app.sockets).into());
    }

    /// Its turn has come: from here it only answers what was asked before.
    fn send_goodbye(&mut self) {
        let socket = &self.client.socket;
        let retry_after_ms = u64::try_from(retry_after(socket).as_millis()).unwrap_or(u64::MAX);
        socket.queue.send(&ServerFrame::Goodbye { reason: Code::Restarting, retry_after_ms });
        self.leaving = Leaving::Answering(Instant::now() + limits::LAST_ANSWERS);
    }

    fn close(&mut self) {
        if matches!(self.leaving, Leaving::No | Leaving::At(_)) {
            self.send_goodbye();
        }
        self.leaving = Leaving::Closing;
        self.client.socket.queue.close(Code::Restarting);
    }
}
