use std::{
    io::{self, IoSlice, Read, Write},
    pin::Pin,
    task::{Context, Poll},
};

use natter_schemas::limits;
use natter_tls::rustls::ServerConnection;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::Written;

/// The encryption of a connection. Its lock is held for what the kernel does at once, never for a wait.
pub struct Session(Mutex<ServerConnection>);

impl Session {
    pub fn new(mut session: ServerConnection) -> Self {
        session.set_buffer_limit(Some(limits::TLS_BUFFER));
        Self(Mutex::new(session))
    }

    pub fn poll_read(
        &self,
        half: &mut OwnedReadHalf,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut session = self.0.lock();
        loop {
            match session.reader().read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            match session.read_tls(&mut Arriving { half, cx }) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
            if let Err(error) = session.process_new_packets() {
                // The client is sent the reason, if it can be.
                let _ = session.write_tls(&mut Leaving(half.as_ref()));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
        }
    }

    /// What is still encrypted from the write before goes first; then as much of `pieces` as fits into the buffer.
    pub fn try_write(&self, half: &OwnedWriteHalf, pieces: &[IoSlice<'_>]) -> io::Result<Written> {
        let (mut session, mut leaving) = (self.0.lock(), Leaving(half.as_ref()));
        if session.wants_write() {
            session.write_tls(&mut leaving)?;
            if session.wants_write() {
                return Ok(Written { taken: 0, held: true });
            }
        }
        let taken = session.writer().write_vectored(pieces)?;
        while session.wants_write() {
            match session.write_tls(&mut leaving) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Written { taken, held: session.wants_write() })
    }

    /// Says that nothing follows, without which a client has to take the end for a cut.
    pub fn close(&self, half: &OwnedWriteHalf) {
        let mut session = self.0.lock();
        session.send_close_notify();
        // It fits, unless the connection takes nothing, and then the client will not see its end either.
        let _ = session.write_tls(&mut Leaving(half.as_ref()));
    }
}

/// Encrypted bytes, as rustls reads them.
struct Arriving<'a, 'b> {
    half: &'a mut OwnedReadHalf,
    cx: &'a mut Context<'b>,
}

impl Read for Arriving<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(into);
        match Pin::new(&mut *self.half).poll_read(self.cx, &mut buffer) {
            Poll::Ready(read) => read.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Encrypted bytes, as rustls writes them: all of its records in one system call.
struct Leaving<'a>(&'a TcpStream);

impl Write for Leaving<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
