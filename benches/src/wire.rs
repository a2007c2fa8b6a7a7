//! The client's half of a measurement: HTTP/1.1 over one kept-open TLS connection, written by hand, so that the client takes
//! as little as possible of the cores that it shares with what it measures.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use deploy::actors::{Credentials, tls};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name in every server certificate of the stand.
const HOST: &str = "localhost";
/// One read: more than any answer of the pair.
const READ_BYTES: usize = 16 * 1024;
/// An answer larger than this is a mistake.
const MOST_ANSWER_BYTES: usize = 1 << 20;

/// A listener on loopback and how to speak to it.
#[derive(Clone)]
pub struct Endpoint {
    address: SocketAddr,
    tls: TlsConnector,
}

impl Endpoint {
    /// The listener at `port`, its certificate from `ca`; `credentials` are shown where it asks for a client certificate.
    ///
    /// # Errors
    /// When a PEM file cannot be read.
    pub fn new(port: u16, ca: &Path, credentials: Option<&Credentials>) -> Result<Self> {
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            tls: TlsConnector::from(Arc::new(tls(ca, credentials)?)),
        })
    }
}

/// An open connection. One request at a time.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

/// An answer, until the next request.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// When nobody listens, or the handshake fails.
    pub async fn open(endpoint: &Endpoint) -> Result<Self> {
        let tcp = TcpStream::connect(endpoint.address).await?;
        tcp.set_nodelay(true)?;
        let stream = endpoint.tls.connect(ServerName::try_from(HOST)?, tcp).await?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(READ_BYTES),
        })
    }

    /// Sends a request made by [`request`] and reads the answer to its end.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no HTTP/1.1 answer with a `Content-Length`.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if head.is_none() {
                head = Head::read(&self.buffer)?;
            }
            if let Some(Head { status, start, end }) = head
                && self.buffer.len() >= end
            {
                let body = self.buffer.get(start..end).unwrap_or_default();
                return Ok(Reply { status, body });
            }
            self.buffer.reserve(READ_BYTES);
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the connection was closed in the middle of an answer");
            ensure!(self.buffer.len() < MOST_ANSWER_BYTES, "an answer without end");
        }
    }
}

/// Status, and where the body starts and ends.
struct Head {
    status: u16,
    start: usize,
    end: usize,
}

impl Head {
    /// `None` while the head is not complete.
    fn read(buffer: &[u8]) -> Result<Option<Self>> {
        const BLANK_LINE: &[u8] = b"\r\n\r\n";
        let Some(end) = buffer.windows(BLANK_LINE.len()).position(|at| at == BLANK_LINE) else {
            return Ok(None);
        };
        let head = std::str::from_utf8(buffer.get(..end).unwrap_or_default())?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
        let status = status
            .and_then(|rest| rest.get(..3))
            .context("no HTTP/1.1 answer")?;
        let length = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let Some((_, length)) = length else {
            bail!("an answer {status} without Content-Length")
        };
        let (start, length) = (end + BLANK_LINE.len(), length.trim().parse::<usize>()?);
        Ok(Some(Self {
            status: status.parse()?,
            start,
            end: start.saturating_add(length),
        }))
    }
}

/// The bytes of a request; a body is JSON.
#[must_use]
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n");
    for (name, value) in headers {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text.push_str("Content-Type: application/json\r\n");
    }
    if !body.is_empty() || method != "GET" {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let answer = b"HTTP/1.1 201 Created\r\ncontent-LENGTH: 2\r\nx: y\r\n\r\nok";
        let head = Head::read(answer).unwrap().unwrap();
        assert_eq!((head.status, &answer[head.start..head.end]), (201, &b"ok"[..]));
        assert!(
            Head::read(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n")
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn an_answer_without_length_is_refused() {
        assert!(Head::read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_names_its_length() {
        let text = String::from_utf8(request("POST", "/v1/x", &[("a", "b")], b"{}")).unwrap();
        assert!(
            text.starts_with("POST /v1/x HTTP/1.1\r\nHost: localhost\r\na: b\r\n"),
            "{text}"
        );
        assert!(text.ends_with("Content-Length: 2\r\n\r\n{}"), "{text}");
        let get = String::from_utf8(request("GET", "/", &[], b"")).unwrap();
        assert_eq!(get, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
}
