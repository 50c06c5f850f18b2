//! A collector that takes spans and forgets them: of this process, so that no target pays for it.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::OnceLock,
    thread,
};

use super::local;

static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();

/// Where it listens; it lives as long as this process.
pub fn address() -> anyhow::Result<SocketAddr> {
    if let Some(address) = ADDRESS.get() {
        return Ok(*address);
    }
    let listener = TcpListener::bind(local(0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A target that ends breaks its connection.
            thread::spawn(move || serve(stream));
        }
    });
    Ok(*ADDRESS.get_or_init(|| address))
}

fn serve(stream: TcpStream) -> io::Result<()> {
    let mut answers = stream.try_clone()?;
    let mut requests = BufReader::new(stream);
    loop {
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim_end().is_empty() {
                break;
            }
            if let Some(("content-length", value)) = line.to_ascii_lowercase().split_once(':') {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        io::copy(&mut requests.by_ref().take(length), &mut io::sink())?;
        answers.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n",
        )?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_of_a_connection_is_answered() {
        let mut stream = TcpStream::connect(address().unwrap()).unwrap();
        for body in ["spans", ""] {
            let length = body.len();
            write!(stream, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
                .unwrap();
            let mut answer = [0; 15];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200 OK");
            let mut rest = [0; 61];
            stream.read_exact(&mut rest).unwrap();
            assert!(rest.ends_with(b"Content-Length: 0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
        }
    }
}
