//! A vault-like listener in a thread of its own, and a client that speaks HTTP/1.1 by hand over rustls.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use rustls::{AlertDescription, ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use shared::clock::{Clock, ManualClock};
use shared::http::body::{BodyError, read_body};
use shared::http::limits::ListenerLimits;
use shared::mtls::actix::{PeerGuard, Refused, peer, remember_peer};
use shared::mtls::certificate::ReloadingCertificate;
use shared::mtls::trust::ReloadingTrust;
use shared::mtls::{client, server};

use crate::pki::{Authority, Files, START, Wanted, gateway, vault};

/// Serials of the two certificates that every stand begins with.
pub(crate) const VAULT_SERIAL: u64 = 1;
pub(crate) const GATEWAY_SERIAL: u64 = 2;

/// What the handler of `/body` allows.
pub(crate) const BODY_LIMIT: usize = 1_000;
pub(crate) const BODY_TIME: Duration = Duration::from_millis(500);

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener with its authority, its files and its clock.
pub(crate) struct Stand {
    pub(crate) authority: Authority,
    pub(crate) time: ManualClock,
    pub(crate) clock: Clock,
    pub(crate) files: Files,
    pub(crate) trust: Arc<ReloadingTrust>,
    pub(crate) certificate: Arc<ReloadingCertificate>,
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Stand {
    pub(crate) fn start() -> Self {
        Self::start_with(&vault(VAULT_SERIAL), &ListenerLimits::mutual(1))
    }

    pub(crate) fn start_with(own: &Wanted, limits: &ListenerLimits) -> Self {
        let time = ManualClock::starting_at(START);
        let clock = Clock::Manual(time.clone());
        let authority = Authority::new("Internal");
        let files = Files::new();
        let trust = files.trust(&authority.pem, &authority.list(START, &[]), &clock);
        let certificate = files.certificate(&authority.issue(own.clone()), &clock);
        let (address, handle, thread) = serve(&certificate, &trust, &clock, limits.clone());
        Self {
            authority,
            time,
            clock,
            files,
            trust,
            certificate,
            address,
            handle,
            thread: Some(thread),
        }
    }

    /// The configuration of a client with this certificate of the stand's own authority.
    pub(crate) fn client(&self, wanted: Wanted) -> ClientConfig {
        let files = Files::new();
        let certificate = files.certificate(&self.authority.issue(wanted), &self.clock);
        client::mutual(
            certificate,
            Arc::clone(&self.trust),
            "spiffe://tessera/vault".parse().unwrap(),
            &self.clock,
        )
        .unwrap()
    }

    pub(crate) fn gateway(&self) -> ClientConfig {
        self.client(gateway(GATEWAY_SERIAL))
    }

    pub(crate) fn connect(&self, config: ClientConfig) -> Connection {
        Connection::open(self.address, &Arc::new(config))
    }

    /// Puts a new revocation list in the listener's file.
    pub(crate) fn revoke(&self, serials: &[u64]) {
        self.files.put("lists.pem", &self.authority.list(START, serials));
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn serve(
    certificate: &Arc<ReloadingCertificate>,
    trust: &Arc<ReloadingTrust>,
    clock: &Clock,
    limits: ListenerLimits,
) -> (SocketAddr, ServerHandle, JoinHandle<()>) {
    let config = server::mutual(Arc::clone(certificate), Arc::clone(trust), clock).unwrap();
    let trust = Arc::clone(trust);
    let (started, start) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let app = move || {
                App::new()
                    .wrap(PeerGuard::new(Arc::clone(&trust), refuse))
                    .route("/who", web::get().to(who))
                    .route("/body", web::post().to(body))
            };
            let server = limits
                .apply(HttpServer::new(app))
                .on_connect(remember_peer)
                .disable_signals()
                .bind_rustls_0_23(("127.0.0.1", 0), config)
                .unwrap();
            let address = server.addrs()[0];
            let server = server.run();
            started.send((address, server.handle())).unwrap();
            server.await.unwrap();
        });
    });
    let (address, handle) = start.recv_timeout(PATIENCE).unwrap();
    (address, handle, thread)
}

async fn who(request: HttpRequest) -> String {
    peer(&request).unwrap().identity.to_string()
}

async fn body(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let (status, text) = match read_body(&request, payload, BODY_LIMIT, BODY_TIME).await {
        Ok(body) => return HttpResponse::Ok().body(body.len().to_string()),
        Err(error @ BodyError::TooLarge { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        Err(error @ BodyError::TooSlow { .. }) => (StatusCode::REQUEST_TIMEOUT, error.to_string()),
        Err(error @ BodyError::Broken) => (StatusCode::BAD_REQUEST, error.to_string()),
    };
    HttpResponse::build(status).force_close().body(text)
}

fn refuse(_request: &HttpRequest, refused: Refused) -> HttpResponse {
    HttpResponse::Unauthorized().body(refused.to_string())
}

/// One connection of a client. Errors show when they reach the client, which in TLS 1.3 may be at the first answer.
pub(crate) struct Connection {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        Self::open_as(address, config, "localhost")
    }

    pub(crate) fn open_as(address: SocketAddr, config: &Arc<ClientConfig>, name: &'static str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from(name).unwrap();
        let session = ClientConnection::new(Arc::clone(config), name).unwrap();
        Self {
            stream: BufReader::new(StreamOwned::new(session, socket)),
        }
    }

    pub(crate) fn send(&mut self, text: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(text.as_bytes())?;
        self.stream.get_mut().flush()
    }

    /// Status and body of the next answer.
    pub(crate) fn answer(&mut self) -> io::Result<(u16, String)> {
        let mut status = String::new();
        if self.stream.read_line(&mut status)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            self.stream.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status[9..12].parse().unwrap(), String::from_utf8(body).unwrap()))
    }

    /// Asks who we are.
    pub(crate) fn who(&mut self) -> io::Result<(u16, String)> {
        self.send("GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        self.answer()
    }

    /// Whether the listener closes the connection without another word.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]), Ok(0))
    }

    pub(crate) fn session(&self) -> &ClientConnection {
        &self.stream.get_ref().conn
    }

    /// Why the listener refuses us.
    pub(crate) fn alert(mut self) -> AlertDescription {
        match rustls_error(&self.who().unwrap_err()) {
            rustls::Error::AlertReceived(alert) => *alert,
            other => panic!("no alert but {other}"),
        }
    }

    /// Why we refuse the listener.
    pub(crate) fn refusal(mut self) -> rustls::CertificateError {
        match rustls_error(&self.who().unwrap_err()) {
            rustls::Error::InvalidCertificate(error) => error.clone(),
            other => panic!("no refused certificate but {other}"),
        }
    }
}

fn rustls_error(error: &io::Error) -> &rustls::Error {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("no TLS error but {error}"))
}
