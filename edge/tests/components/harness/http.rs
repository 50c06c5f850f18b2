//! A request over a connection of its own.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub async fn post(
    address: SocketAddr,
    path: &str,
    token: &str,
    header: Option<(&str, &str)>,
    body: &Value,
) -> (u16, Value) {
    let body = body.to_string();
    let header = header.map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n{header}\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.expect("the edge accepts");
    stream.write_all(request.as_bytes()).await.expect("the edge reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("the edge answers");
    let status = response.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
    let (_, body) = response.split_once("\r\n\r\n").expect("a head");
    (status, serde_json::from_str(body).expect("JSON"))
}
