use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use natter_schemas::limits;

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::{Permit, linger::Linger, progress::RequestProgress};

/// How long a connection waits for its client.
#[derive(Clone, Copy)]
pub struct Patience {
    /// Until it has sent a header, the first from the start and others from their first byte.
    pub header: Duration,
    /// Until it takes some of what is written to it.
    pub write: Duration,
    /// Until it has sent the rest of a request that was answered before its end.
    pub linger: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { header: limits::HTTP_HEADER, write: limits::HTTP_WRITE_STALL, linger: limits::HTTP_LINGER }
    }
}

/// The bytes of an HTTP connection. One whose client takes nothing of what is written to it for too long fails: otherwise
/// it would hold its answers, and its place, for good. So does one that has begun a request and does not end its header. One
/// that ends in the middle of a request lingers.
pub struct Connection {
    stream: TcpStream,
    permit: Permit,
    patience: Patience,
    /// Since the connection takes no more; boxed, because most never need it.
    stalled: Option<Pin<Box<Sleep>>>,
    request: RequestProgress,
    /// Since a header is owed.
    header: Option<Pin<Box<Sleep>>>,
    /// This side has ended, and the client's may go on.
    linger: Option<Box<Linger>>,
}

impl Connection {
    pub fn new(stream: TcpStream, permit: Permit, patience: Patience) -> Self {
        Self {
            stream,
            permit,
            patience,
            stalled: None,
            request: RequestProgress::default(),
            header: None,
            linger: None,
        }
    }

    /// For whoever reads requests: to say what of one was read.
    pub fn request_progress(&self) -> RequestProgress {
        self.request.clone()
    }

    pub fn set_nodelay(&self) -> io::Result<()> {
        self.stream.set_nodelay(true)
    }

    /// For a socket, which has a bound of its own on what waits to be written.
    pub fn into_parts(self) -> (TcpStream, Permit) {
        (self.stream, self.permit)
    }

    fn watch_header(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.request.owes_header() {
            return Poll::Pending;
        }
        let patience = self.patience.header;
        let header = self.header.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(header.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not send its header")))
    }

    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience.write;
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
        // The time of one header is not that of the next, which may be there already.
        if !self.request.owes_header() {
            self.header = None;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_pending() {
            return self.watch_header(cx);
        }
        self.request.arrived(buffer.filled().len() - before);
        read
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
        let Self { stream, request, linger, patience, .. } = &mut *self;
        if linger.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            if !request.is_in_request() {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = linger.get_or_insert_with(|| Box::new(Linger::new(patience.linger)));
        linger.poll(stream, cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use natter_runtime::config::ConnectionLimits;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::{Instant, timeout},
    };

    use super::{super::Connections, *};

    const PATIENCE: Duration = Duration::from_secs(1);
    /// Of what must not end by its time.
    const LONG: Duration = Duration::from_mins(10);

    async fn connected() -> (Connection, TcpStream) {
        lingering(PATIENCE).await
    }

    async fn lingering(linger: Duration) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let connections = Arc::new(Connections::new(ConnectionLimits::default(), usize::MAX));
        let permit = connections.admit(None).expect("there is room");
        let patience = Patience { header: PATIENCE, write: PATIENCE, linger };
        (Connection::new(accepted.expect("a client").0, permit, patience), client.expect("a connection"))
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

    /// Reads the beginning of a request, answers it, and ends: the client is still sending.
    async fn answered_early(linger: Duration) -> (tokio::task::JoinHandle<io::Result<()>>, TcpStream) {
        let (mut connection, mut client) = lingering(linger).await;
        client.write_all(b"POST /").await.expect("it is read");
        let ending = tokio::spawn(async move {
            connection.read_exact(&mut [0; 6]).await?;
            connection.write_all(b"413").await?;
            connection.shutdown().await
        });
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("this side has ended, behind the answer");
        assert_eq!(answer, b"413");
        (ending, client)
    }

    #[tokio::test]
    async fn a_client_that_is_answered_early_can_send_the_rest() {
        let (ending, mut client) = answered_early(LONG).await;
        for _ in 0..64 {
            client.write_all(&[0; 1024]).await.expect("the connection is not reset");
        }
        drop(client);
        ending.await.expect("no panic").expect("an end");
    }

    #[tokio::test]
    async fn what_is_read_after_an_answer_is_bounded() {
        let (ending, mut client) = answered_early(LONG).await;
        let error = async {
            loop {
                if let Err(error) = client.write_all(&vec![0; 64 * 1024]).await {
                    return error;
                }
            }
        };
        assert!(matches!(error.await.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe));
        ending.await.expect("no panic").expect("an end");
    }

    #[tokio::test]
    async fn a_client_that_stays_after_an_answer_loses_its_place() {
        let begun = Instant::now();
        let (ending, _client) = answered_early(PATIENCE).await;
        ending.await.expect("no panic").expect("an end");
        assert!(begun.elapsed() >= PATIENCE);
    }

    #[tokio::test]
    async fn between_requests_a_connection_ends_at_once() {
        let (mut connection, mut client) = lingering(LONG).await;
        client.write_all(b"GET /").await.expect("it is read");
        connection.read_exact(&mut [0; 5]).await.expect("it is sent");
        connection.request_progress().header_ended();
        connection.request_progress().body_ended();
        connection.shutdown().await.expect("an end");
    }

    #[tokio::test]
    async fn a_connection_without_a_header_ends() {
        let begun = Instant::now();
        let (mut silent, _client) = connected().await;
        let (mut slow, mut client) = connected().await;
        client.write_all(b"GET /").await.expect("it is read");
        slow.read_exact(&mut [0; 5]).await.expect("it is sent");
        for connection in [&mut silent, &mut slow] {
            let error = connection.read_exact(&mut [0]).await.expect_err("nothing comes");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        assert!(begun.elapsed() >= PATIENCE);
    }

    #[tokio::test]
    async fn a_connection_between_requests_waits_for_the_next_one() {
        let (mut connection, mut client) = connected().await;
        for _ in 0..2 {
            client.write_all(b"GET /").await.expect("it is read");
            connection.read_exact(&mut [0; 5]).await.expect("it is sent");
            connection.request_progress().header_ended();
            connection.request_progress().body_ended();
            // Longer than a header is waited for.
            timeout(PATIENCE * 3 / 2, connection.read_exact(&mut [0])).await.expect_err("it is waited for");
        }
        client.write_all(b"GET").await.expect("it is read");
        connection.read_exact(&mut [0; 3]).await.expect("it is sent");
        let begun = Instant::now();
        let error = connection.read_exact(&mut [0]).await.expect_err("nothing comes");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= PATIENCE, "the rest of a header has its whole time");
    }
}
