//! The log lines of what clients do: one for each request, and one for each socket when it has ended. A client chooses how many
//! there are, so beyond some a second one line stands for many; only a fault of ours always has its own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::{Body, Bytes};
use natter_runtime::sampled::Sampled;
use natter_schemas::{
    code::Code,
    id::{SessionId, UserId},
    trace_context::TraceContext,
};
use tracing::{debug, error, info};

use crate::through::through;

pub struct ClientLines {
    /// By code: one a second each.
    refused: Vec<(Code, Sampled)>,
    answered: Sampled,
    ended: Sampled,
}

/// A request, for the lines about what it causes.
#[derive(Debug, Clone)]
pub struct Cause {
    pub request: Arc<str>,
    pub trace: Option<TraceContext>,
}

/// A request that was answered.
pub struct RequestLine {
    pub cause: Cause,
    pub method: &'static str,
    pub route: Option<String>,
    pub status: u16,
    /// Of a refusal.
    pub code: Option<Code>,
    pub caller: Option<(UserId, SessionId)>,
    pub bytes_in: u64,
    pub begun: Instant,
}

/// A socket that has ended.
pub struct SocketLine {
    /// The upgrade.
    pub cause: Cause,
    /// Nothing of a socket that has not said hello.
    pub caller: Option<(UserId, SessionId)>,
    pub code: Option<Code>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub begun: Instant,
}

macro_rules! request_line {
    ($level:ident, $line:ident, $bytes_out:ident, $count:expr, $message:literal) => {
        $level!(
            request = &*$line.cause.request,
            method = $line.method,
            route = $line.route,
            status = $line.status,
            code = $line.code.map(Code::name),
            user = $line.caller.map(|(user, _)| display(user)),
            session = $line.caller.map(|(_, session)| display(session)),
            bytes_in = $line.bytes_in,
            bytes_out = $bytes_out,
            duration_ms = milliseconds($line.begun),
            trace_id = $line.cause.trace.map(|context| display(context.trace_id())),
            count = $count,
            $message
        )
    };
}

macro_rules! socket_line {
    ($level:ident, $line:ident, $count:expr, $message:literal) => {
        $level!(
            request = &*$line.cause.request,
            close = $line.code.and_then(|code| code.row().close),
            code = $line.code.map(Code::name),
            user = $line.caller.map(|(user, _)| display(user)),
            session = $line.caller.map(|(_, session)| display(session)),
            bytes_in = $line.bytes_in,
            bytes_out = $line.bytes_out,
            duration_ms = milliseconds($line.begun),
            trace_id = $line.cause.trace.map(|context| display(context.trace_id())),
            count = $count,
            $message
        )
    };
}

impl ClientLines {
    /// So many a second of requests that were answered, and as many of sockets.
    pub fn new(a_second: u32) -> Self {
        let refused = Code::ALL.iter().map(|code| (*code, Sampled::once_a(Duration::from_secs(1))));
        Self {
            refused: refused.collect(),
            answered: Sampled::a_second(a_second),
            ended: Sampled::a_second(a_second),
        }
    }

    fn request(&self, line: &RequestLine, bytes_out: u64) {
        match line.code {
            Some(Code::Internal) => {
                request_line!(error, line, bytes_out, None::<u64>, "request failed; answered 500");
            }
            Some(code) => {
                let sampled = self.refused.iter().find(|(of, _)| *of == code);
                match sampled.and_then(|(_, sampled)| sampled.due()) {
                    Some(count) => request_line!(info, line, bytes_out, count, "request refused"),
                    None => request_line!(debug, line, bytes_out, None::<u64>, "request refused"),
                }
            }
            None => match self.answered.due() {
                Some(count) => request_line!(info, line, bytes_out, count, "request answered"),
                None => request_line!(debug, line, bytes_out, None::<u64>, "request answered"),
            },
        }
    }

    pub fn socket(&self, line: &SocketLine) {
        match self.ended.due() {
            Some(count) => socket_line!(info, line, count, "socket ended"),
            None => socket_line!(debug, line, None::<u64>, "socket ended"),
        }
    }
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000.0
}

/// The body of an answer. When the connection has taken it, or is gone, the request has its line.
pub fn logged(body: Body, lines: Arc<ClientLines>, line: RequestLine) -> Body {
    let mut sent = Sent { lines, line, bytes: 0 };
    through(body, move |bytes| sent.counting(bytes))
}

struct Sent {
    lines: Arc<ClientLines>,
    line: RequestLine,
    bytes: u64,
}

impl Sent {
    fn counting(&mut self, bytes: Bytes) -> Bytes {
        self.bytes += bytes.len() as u64;
        bytes
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.lines.request(&self.line, self.bytes);
    }
}
