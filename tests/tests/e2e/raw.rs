//! One TLS connection by hand: for what no HTTP client does, and to be sure that two requests share a connection.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use certs::PairPaths;
use deploy::actors::{Credentials, tls};
use deploy::stand::Stand;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

/// Longer than the pair waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open connection.
pub(crate) struct RawConnection(StreamOwned<ClientConnection, TcpStream>);

impl RawConnection {
    /// Connects and finishes the handshake as far as the client can tell.
    pub(crate) fn open(stand: &Stand, port: u16, pair: Option<&PairPaths>) -> Result<Self> {
        let credentials = pair.map(Credentials::from);
        let config = tls(
            &stand.certificates().internal_ca.certificate,
            credentials.as_ref(),
        )?;
        let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
        let socket = TcpStream::connect(("127.0.0.1", port)).context("no connection")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut stream = StreamOwned::new(client, socket);
        while stream.conn.is_handshaking() {
            stream
                .conn
                .complete_io(&mut stream.sock)
                .context("the handshake was refused")?;
        }
        Ok(Self(stream))
    }

    /// Writes bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes)?;
        Ok(self.0.flush()?)
    }

    /// Reads one answer: its status, and its body as far as `Content-Length` says. `None` when the connection was closed.
    pub(crate) fn answer(&mut self) -> Result<Option<(u16, String)>> {
        let mut bytes = Vec::new();
        loop {
            if let Some(answer) = whole(&bytes) {
                return Ok(Some(answer));
            }
            let mut part = [0; 4096];
            match self.0.read(&mut part) {
                Ok(0) => return Ok(None),
                Ok(read) => bytes.extend_from_slice(part.get(..read).unwrap_or_default()),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                    ) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error).context("no answer, and the connection stays open"),
            }
        }
    }

    /// The certificate that the other end showed, DER.
    pub(crate) fn server_certificate(&self) -> Result<Vec<u8>> {
        let shown = self.0.conn.peer_certificates().and_then(|chain| chain.first());
        Ok(shown.context("no certificate was shown")?.as_ref().to_vec())
    }

    /// A `GET` on this very connection.
    pub(crate) fn get(&mut self, path: &str) -> Result<Option<(u16, String)>> {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
        self.answer()
    }
}

fn whole(bytes: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    (body.len() >= length.unwrap_or(0)).then(|| (status, body.to_owned()))
}
