//! The accept loop: every connection has a task, a deadline for its header, and an end at drain.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use natter_schemas::limits;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::{
    app::App,
    rest::{self, Peer},
};

/// Out of file descriptors: accepting again at once would spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

pub fn start(app: &Arc<App>, listener: TcpListener) {
    let router = rest::router(app);
    let lifecycle = app.lifecycle.clone();
    let task = lifecycle.clone();
    lifecycle.spawn("accept loop", async move {
        loop {
            let accepted = tokio::select! {
                () = task.stop().cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (router, stop) = (router.clone(), task.stop().clone());
                    task.tracker().spawn(async move { connection(router, stream, peer, stop).await });
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection; trying again");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    });
}

async fn connection(router: Router, stream: TcpStream, peer: SocketAddr, stop: CancellationToken) {
    // Every write is a complete frame or response: waiting to fill a packet only adds latency.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%peer, %error, "TCP_NODELAY not set");
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let router = router.clone();
        router.oneshot(request.map(axum::body::Body::new))
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
