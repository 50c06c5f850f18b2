//! One connection that never waits: what does not fit into the kernel's buffer stays here until it does.

use std::{
    io::{self, Read as _, Write as _},
    net::SocketAddr,
};

use mio::{Interest, Registry, Token, net::TcpStream};

/// Two dozen of the largest messages a scenario with stalled readers sends.
const SMALL_BUFFER: usize = 64 * 1024;

pub struct Conn {
    stream: TcpStream,
    /// The beginning of a frame or response that is not complete yet.
    half: Vec<u8>,
    unsent: Vec<u8>,
}

/// What a read returned.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    /// So many bytes now lie at the front of the scratch, those of earlier looks included.
    Bytes(usize),
    Nothing,
    Closed,
}

impl Conn {
    /// Begins to connect. `small`: a receive buffer of some KiB, so that a reader that stalls is felt soon.
    pub fn open(registry: &Registry, token: Token, to: SocketAddr, small: bool) -> io::Result<Self> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        if small {
            nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::RcvBuf, &SMALL_BUFFER)?;
        }
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, half: Vec::new(), unsent: Vec::new() })
    }

    /// Whether the connection is there; an error when it will never be.
    pub fn connected(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut written = 0;
        if self.unsent.is_empty() {
            written = write_some(&mut self.stream, bytes)?;
        }
        self.unsent.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// The kernel takes more again.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.unsent.is_empty() {
            let written = write_some(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..written);
        }
        Ok(())
    }

    /// Reads once. What was left over by `keep` comes first.
    pub fn read(&mut self, scratch: &mut Vec<u8>) -> io::Result<Got> {
        let kept = self.half.len();
        if scratch.len() < 2 * kept {
            scratch.resize(2 * kept, 0);
        }
        scratch[..kept].copy_from_slice(&self.half);
        loop {
            return match self.stream.read(&mut scratch[kept..]) {
                Ok(0) => Ok(Got::Closed),
                Ok(read) => {
                    self.half.clear();
                    Ok(Got::Bytes(kept + read))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Got::Nothing),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }

    pub fn keep(&mut self, bytes: &[u8]) {
        self.half.extend_from_slice(bytes);
    }

    pub fn close(mut self, registry: &Registry) {
        let _ = registry.deregister(&mut self.stream);
    }
}

/// How many bytes the kernel took.
fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}
