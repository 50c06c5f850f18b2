//! The accept loop: every connection is counted, has a task, a deadline for its handshake and another
//! for its header, and an end: a node that drains takes requests until its sockets have left.

use std::{convert::Infallible, io::Write, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use natter_runtime::sampled::Sampled;
use natter_schemas::{code::Code, id::EventId, limits};
use natter_tls::Acceptor;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::{
    api_error::ApiError,
    app::App,
    client_address::{TrustedProxies, network},
    connections::{Connection, Connections, Full, Patience, Permit, RequestBody, RequestProgress},
    rest,
};

/// Out of file descriptors: accepting again at once would spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// When a client that was refused should connect again: by then others have gone.
const RETRY_AFTER: Duration = Duration::from_secs(5);

struct Server {
    router: Router,
    proxies: TrustedProxies,
    tls: Option<Acceptor>,
    connections: Arc<Connections>,
    draining: CancellationToken,
    stop: CancellationToken,
    refusals: Sampled,
}

pub fn start(app: &Arc<App>, listener: TcpListener) {
    let lifecycle = app.lifecycle.clone();
    let server = Arc::new(Server {
        router: rest::router(app),
        proxies: TrustedProxies::new(app.config.trusted_proxies.clone()),
        tls: app.config.tls.clone(),
        connections: app.connections.clone(),
        draining: lifecycle.draining().clone(),
        stop: lifecycle.stop().clone(),
        refusals: Sampled::once_a(Duration::from_mins(1)),
    });
    if let Some(tls) = &app.config.tls {
        lifecycle.spawn("certificate watch", tls.watch(lifecycle.stop().clone()));
    }
    let task = lifecycle.clone();
    lifecycle.spawn("accept loop", async move {
        loop {
            let accepted = tokio::select! {
                () = task.stop().cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => match server.admit(peer) {
                    Ok(permit) => {
                        let connection = Connection::new(stream, permit, Patience::default());
                        let server = server.clone();
                        task.tracker().spawn(async move { server.open(connection, peer).await });
                    }
                    Err(full) => server.refuse(stream, peer, full),
                },
                Err(error) => {
                    warn!(%error, "cannot accept a connection; trying again");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    });
}

impl Server {
    fn admit(&self, peer: SocketAddr) -> Result<Permit, Full> {
        let ip = peer.ip();
        self.connections.admit((!self.proxies.trusts(ip)).then(|| network(ip)))
    }

    fn refuse(&self, stream: TcpStream, peer: SocketAddr, full: Full) {
        // What cannot be written at once is not written: the end of the connection says enough.
        // Without a handshake nothing can be said by TLS.
        if self.tls.is_none()
            && let Ok(mut stream) = stream.into_std()
        {
            let _ = stream.write(refusal().as_bytes());
        }
        if let Some(count) = self.refusals.due() {
            warn!(%peer, reason = ?full, count, most = self.connections.most(), "connections refused: there are too many");
        }
    }

    async fn open(&self, connection: Connection, peer: SocketAddr) {
        // Every write is a complete frame or response: waiting to fill a packet only adds latency.
        if let Err(error) = connection.set_nodelay() {
            debug!(%peer, %error, "TCP_NODELAY not set");
        }
        let progress = connection.request_progress();
        let Some(tls) = &self.tls else { return self.serve(connection, peer, progress).await };
        let handshake = tls.accept(connection, limits::HTTP_HEADER);
        match self.stop.run_until_cancelled(handshake).await {
            // Boxed: connections without TLS need no room for it.
            Some(Ok(stream)) => {
                // The handshake, which was read, is no request.
                progress.opened();
                Box::pin(self.serve(stream, peer, progress)).await;
            }
            Some(Err(error)) => debug!(%peer, %error, "no TLS handshake"),
            None => {}
        }
    }

    async fn serve<S>(&self, stream: S, peer: SocketAddr, progress: RequestProgress)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|mut request: Request<Incoming>| {
            let client = self.proxies.client(peer.ip(), self.tls.is_some(), request.headers());
            request.extensions_mut().insert(client);
            let body = |body| axum::body::Body::new(RequestBody::new(body, progress.clone()));
            let answer = self.router.clone().oneshot(request.map(body));
            async {
                let mut answer = answer.await?;
                // The client's next request goes to another node.
                if self.draining.is_cancelled() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Counts from the end of the request before; what is begun is bounded by the connection itself.
            .header_read_timeout(limits::HTTP_IDLE)
            .max_buf_size(32 * 1024)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        let served = tokio::select! {
            served = &mut connection => served,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            debug!(%peer, %error, "connection ended");
        }
    }
}

/// What a connection that is refused is sent, before anything of it is read: a problem document as any other.
fn refusal() -> String {
    let id = EventId::fresh().to_string();
    let problem = ApiError::new(Code::Unavailable, "too many connections").problem(&id);
    let body = serde_json::to_string(&problem).expect("a problem document has string keys only");
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nX-Request-Id: {id}\r\n\
         Retry-After: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        RETRY_AFTER.as_secs(),
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use natter_schemas::rest::Problem;

    use super::*;

    #[test]
    fn a_refusal_is_a_whole_answer() {
        let text = refusal();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}: {}", body.len());
        let problem: Problem = serde_json::from_str(body).expect("a problem document");
        assert!(head.contains(&format!("X-Request-Id: {}", problem.request_id)), "{head}: {body}");
    }
}
