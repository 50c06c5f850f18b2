//! The accept loop: every connection has a task, a deadline for its header, and an end at drain.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use natter_schemas::limits;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::{app::Edge, rest};

/// Out of file descriptors: accepting again at once would spin.
const BREATHE: Duration = Duration::from_millis(100);

/// The client's address, in every request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

pub fn start(edge: &Arc<Edge>, listener: TcpListener) {
    let app = rest::router(edge);
    let lifecycle = edge.lifecycle.clone();
    let task = lifecycle.clone();
    lifecycle.spawn("accept loop", async move {
        loop {
            let accepted = tokio::select! {
                () = task.stop().cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (app, stop) = (app.clone(), task.stop().clone());
                    task.tracker().spawn(async move { connection(app, stream, peer, stop).await });
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(BREATHE).await;
                }
            }
        }
    });
}

async fn connection(
    app: Router,
    stream: TcpStream,
    peer: SocketAddr,
    stop: tokio_util::sync::CancellationToken,
) {
    // A frame is a whole thought: waiting to fill a packet only adds latency.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY not set");
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let app = app.clone();
        app.oneshot(request.map(axum::body::Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HTTP_HEADER)
        .max_buf_size(32 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        debug!(%peer, %error, "connection ended");
    }
}
