//! Handshakes beside each other, for a server that takes one connection after the other: a client that is silent delays no
//! other.

use std::{io, net::SocketAddr, time::Duration};

use axum::serve::Listener;
use natter_schemas::limits;
use natter_tls::{Acceptor, TlsStream};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// Out of file descriptors: accepting again at once would spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

type Accepted = (TlsStream<TcpStream>, SocketAddr);

pub struct TlsListener {
    listener: TcpListener,
    acceptor: Acceptor,
    /// Those under way; at [`limits::ADMIN_HANDSHAKES`] the next client waits.
    handshakes: JoinSet<io::Result<Accepted>>,
}

impl TlsListener {
    pub fn new(listener: TcpListener, acceptor: Acceptor) -> Self {
        Self { listener, acceptor, handshakes: JoinSet::new() }
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr) {
        let acceptor = self.acceptor.clone();
        self.handshakes.spawn(async move { Ok((acceptor.accept(stream, limits::HTTP_HEADER).await?, peer)) });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Accepted {
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if self.handshakes.len() < limits::ADMIN_HANDSHAKES => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection; trying again");
                        sleep(ACCEPT_RETRY).await;
                    }
                },
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Ok(accepted)) => return accepted,
                    Ok(Err(error)) => tracing::debug!(%error, "no TLS handshake on the admin port"),
                    Err(error) => tracing::error!(%error, "a handshake on the admin port failed"),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
