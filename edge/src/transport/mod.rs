//! Bytes of a socket: those of a TCP connection, or encrypted over it. Reading and writing are done by different tasks,
//! and whoever writes never waits: it writes what the kernel takes now, plain or encrypted in one system call.

mod session; // the encryption that both sides share
#[cfg(test)]
pub mod tests;

use std::{
    io::{self, IoSlice},
    os::fd::AsRawFd,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use natter_tls::rustls::ServerConnection;
use nix::sys::socket::{Shutdown, shutdown};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use session::Session;

/// What arrives.
pub struct Input {
    half: OwnedReadHalf,
    session: Option<Arc<Session>>,
}

/// What leaves.
pub struct Output {
    half: OwnedWriteHalf,
    session: Option<Arc<Session>>,
    /// Bytes that were taken.
    sent: AtomicU64,
}

/// What one write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Bytes that were taken and are not to be written again.
    pub taken: usize,
    /// Some of what was taken is encrypted and not yet with the kernel: another write is needed, if only of nothing.
    pub held: bool,
}

/// Both sides of a connection, whose handshake is over if it is encrypted.
pub fn split(stream: TcpStream, session: Option<ServerConnection>) -> (Input, Output) {
    let session = session.map(|session| Arc::new(Session::new(session)));
    let (input, output) = stream.into_split();
    (
        Input { half: input, session: session.clone() },
        Output { half: output, session, sent: AtomicU64::new(0) },
    )
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { half, session } = &mut *self;
        match session {
            None => Pin::new(half).poll_read(cx, buffer),
            Some(session) => session.poll_read(half, cx, buffer),
        }
    }
}

impl Output {
    /// Writes as much as the connection takes now; an error of kind `WouldBlock` when it takes nothing.
    pub fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<Written> {
        let written = self.write(pieces)?;
        self.sent.fetch_add(written.taken as u64, Ordering::Relaxed);
        Ok(written)
    }

    /// Bytes that were written, before they are encrypted.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<Written> {
        if let Some(session) = &self.session {
            return session.try_write(&self.half, pieces);
        }
        let taken = match pieces {
            // A plain write costs the kernel less than a vectored one.
            [one] => self.half.try_write(one)?,
            several => self.half.try_write_vectored(several)?,
        };
        Ok(Written { taken, held: false })
    }

    /// Writes all of it, however long that takes.
    pub async fn write_all(&self, mut rest: &[u8]) -> io::Result<()> {
        loop {
            match self.try_write(&[IoSlice::new(rest)]) {
                Ok(Written { taken, held }) => {
                    rest = &rest[taken..];
                    if rest.is_empty() && !held {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// The connection takes more.
    pub async fn writable(&self) -> io::Result<()> {
        self.half.writable().await
    }

    /// Ends this side: the client sees its end behind what was written, and can still send.
    pub fn shut_down(&self) {
        if let Some(session) = &self.session {
            session.close(&self.half);
        }
        let stream: &TcpStream = self.half.as_ref();
        // A connection that is broken has ended already.
        let _ = shutdown(stream.as_raw_fd(), Shutdown::Write);
    }
}
