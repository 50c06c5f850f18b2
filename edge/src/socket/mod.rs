//! One socket, from hello to close: a single task that reads, answers, writes and keeps time.

mod handshake; // 1 until the first hello that is accepted
mod running; // 2 reads, answers and keeps time until it ends
mod incoming; //   a WebSocket message as its loop sees it
mod client; //   what an answer needs
mod answer; //   every frame is answered, one file a verb
mod request_queues; //   what waits for a service: one at a time per conversation

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use natter_schemas::{code::Code, limits};
use tokio::time::timeout;

use self::{handshake::Handshake, running::Running};
use crate::{
    app::App,
    client_lines::{Cause, SocketLine},
    outbound::send_queue::SendQueue,
    transport::Output,
    wire::source::Source,
};

/// After our close frame the client may still be sending; a connection cut with unread bytes is reset, and the
/// reset can overtake the close frame. So what still comes is read and dropped for a moment. Clients wait for the end
/// of the connection (RFC 6455 §7.1.1): this side of it ends right behind the close frame.
const LINGER: Duration = Duration::from_secs(2);

/// The request that became a socket, for its line of the log.
pub struct Opening {
    pub cause: Cause,
    pub begun: Instant,
}

/// Serves a socket until it closes.
pub async fn serve(app: Arc<App>, opening: Opening, mut source: Source, output: Output) {
    let frames = app.admission.frame_limit();
    let handshake = Handshake { app: &app, frames: &frames, source: &mut source, output: &output };
    // Boxed, as is the end: the socket does not carry them through its life.
    let (queue, caller, ended) = match timeout(limits::HELLO, Box::pin(handshake.accept())).await {
        Ok(Ok(accepted)) => {
            let socket = &accepted.registration;
            let (queue, caller) = (socket.queue.clone(), (socket.user, socket.session));
            queue.connect(output, app.flushers.pick());
            // The registration is dropped with it, however it ends.
            let ended = Running::new(&app, accepted, frames).run(&mut source).await;
            if let Some(code) = ended {
                metrics::counter!("natter_closed_total", "code" => code.name()).increment(1);
            }
            (queue, Some(caller), ended)
        }
        failed => {
            let queue = Arc::new(SendQueue::default());
            queue.connect(output, app.flushers.pick());
            (queue, None, failed.unwrap_or(Err(Some(Code::Unauthenticated))).err().flatten())
        }
    };
    let bytes_in = source.received();
    if let Some(code) = ended {
        Box::pin(close(&queue, source, code)).await;
    }
    let Opening { cause, begun } = opening;
    let bytes_out = queue.sent();
    app.lines.socket(&SocketLine { cause, caller, code: ended, bytes_in, bytes_out, begun });
}

/// Sends the close frame and ends. A slow reader gets time to read what the kernel holds for it.
async fn close(queue: &Arc<SendQueue>, source: Source, code: Code) {
    let grace = if code == Code::SlowReader { limits::SLOW_CLOSE_GRACE } else { LINGER };
    if timeout(grace, queue.finish(code)).await.is_ok() {
        queue.shut_down();
        let _ = timeout(LINGER, source.discard()).await;
    }
}
