use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::Permit;

/// The bytes of an HTTP connection. One whose client takes nothing of what is written to it for too long fails: otherwise
/// it would hold its answers, and its place, for good.
pub struct Connection {
    stream: TcpStream,
    permit: Permit,
    patience: Duration,
    /// Since the connection takes no more; boxed, because most never need it.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    pub fn new(stream: TcpStream, permit: Permit, patience: Duration) -> Self {
        Self { stream, permit, patience, stalled: None }
    }

    pub fn set_nodelay(&self) -> io::Result<()> {
        self.stream.set_nodelay(true)
    }

    /// For a socket, which has a bound of its own on what waits to be written.
    pub fn into_parts(self) -> (TcpStream, Permit) {
        (self.stream, self.permit)
    }

    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(cx));
        metrics::counter!("natter_connections_stalled_total").increment(1);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use natter_runtime::config::ConnectionLimits;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::Instant,
    };

    use super::{super::Connections, *};

    const PATIENCE: Duration = Duration::from_secs(1);

    async fn connected() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let connections = Arc::new(Connections::new(ConnectionLimits::default(), usize::MAX));
        let permit = connections.admit(None).expect("there is room");
        (Connection::new(accepted.expect("a client").0, permit, PATIENCE), client.expect("a connection"))
    }

    /// More than the kernel keeps for a connection.
    const MUCH: usize = 64 * 1024 * 1024;

    #[tokio::test]
    async fn a_client_that_takes_nothing_ends_its_connection() {
        let (mut connection, _client) = connected().await;
        let begun = Instant::now();
        let error = connection.write_all(&vec![0; MUCH]).await.expect_err("it is not read");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= PATIENCE);
    }

    #[tokio::test]
    async fn a_client_that_reads_slowly_keeps_its_connection() {
        let (mut connection, mut client) = connected().await;
        let writing = tokio::spawn(async move { connection.write_all(&vec![0; MUCH]).await });
        let (mut chunk, mut left) = (vec![0; MUCH / 16], MUCH);
        let mut pause = tokio::time::interval(PATIENCE / 8);
        while left > 0 {
            pause.tick().await;
            let most = left.min(chunk.len());
            client.read_exact(&mut chunk[..most]).await.expect("it is written");
            left -= most;
        }
        writing.await.expect("no panic").expect("all is written");
    }
}
