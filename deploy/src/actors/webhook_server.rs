//! A partner's endpoint for webhooks: a real server, over TLS of an authority of its own or in clear on loopback, that keeps what
//! it is sent and checks signatures by the published algorithm, with none of the sender's code.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certs::{DevOptions, DevSet};
use ring::hmac;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::Value;
use shared::clock::Clock;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Longer than a lease and a retry take together.
const PATIENCE: Duration = Duration::from_secs(120);
/// How old a message may be (Standard Webhooks).
const TOLERANCE_SECONDS: i64 = 5 * 60;

/// How callers are kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookTls {
    /// Not at all.
    InClear,
    /// By TLS, to anybody.
    Server,
    /// By TLS, to holders of a client certificate of the authority alone.
    Mutual,
}

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedWebhook {
    /// Where to.
    pub path: String,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// The body, as it came.
    pub text: String,
    /// The status that it was answered with.
    pub status: u16,
}

impl ReceivedWebhook {
    /// The body.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn body(&self) -> Result<Value> {
        serde_json::from_str(&self.text).context("a webhook's body is not JSON")
    }

    /// Checks time and signature as the specification says.
    ///
    /// # Errors
    /// When no signature is by this secret, or the message is too old.
    pub fn verify(&self, secret: &str) -> Result<()> {
        let age = Clock::System.unix_seconds() - self.timestamp;
        ensure!(age.abs() <= TOLERANCE_SECONDS, "the message is {age} s old");
        let key = STANDARD.decode(secret.strip_prefix("whsec_").context("no secret")?)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.text);
        let ours = |part: &str| {
            let tag = part.strip_prefix("v1,").and_then(|tag| STANDARD.decode(tag).ok());
            tag.is_some_and(|tag| hmac::verify(&key, signed.as_bytes(), &tag).is_ok())
        };
        ensure!(
            self.signature.split(' ').any(ours),
            "no signature is by this secret"
        );
        Ok(())
    }
}

#[derive(Default)]
struct State {
    /// How the next messages are answered; then 200.
    answers: VecDeque<u16>,
    /// How long each answer takes.
    pause: Duration,
    /// Messages that are being answered, by their ids.
    open: HashMap<String, u32>,
    /// How often a message came while the same was being answered.
    met: u32,
}

type Shared = (Mutex<State>, watch::Sender<Vec<ReceivedWebhook>>);

/// The server. It ends with this value.
pub struct WebhookServer {
    shared: Arc<Shared>,
    received: watch::Receiver<Vec<ReceivedWebhook>>,
    server: ServerHandle,
    url: String,
    set: DevSet,
}

impl std::fmt::Debug for WebhookServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebhookServer({})", self.url)
    }
}

impl Drop for WebhookServer {
    fn drop(&mut self) {
        let server = self.server.clone();
        tokio::spawn(async move { server.stop(false).await });
    }
}

impl WebhookServer {
    /// Makes an authority below `directory` and listens on a free port of loopback.
    ///
    /// # Errors
    /// When files or the port cannot be had.
    pub fn start(directory: &Path, how: WebhookTls) -> Result<Self> {
        let directory = directory.join("webhook-pki");
        Self::with(
            DevSet::create(&directory, &DevOptions::default(), &Clock::System)?,
            how,
        )
    }

    /// Another server, with a certificate of the same authority.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub fn beside(&self, how: WebhookTls) -> Result<Self> {
        Self::with(self.set.clone(), how)
    }

    fn with(set: DevSet, how: WebhookTls) -> Result<Self> {
        let (keep, received) = watch::channel(Vec::new());
        let shared: Arc<Shared> = Arc::new((Mutex::default(), keep));
        let data = web::Data::from(Arc::clone(&shared));
        let app = move || {
            App::new()
                .app_data(data.clone())
                .default_service(web::post().to(take))
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let (scheme, server) = match how {
            WebhookTls::InClear => ("http", server.bind(("127.0.0.1", 0))?),
            WebhookTls::Server | WebhookTls::Mutual => (
                "https",
                server.bind_rustls_0_23(("127.0.0.1", 0), tls(&set, how)?)?,
            ),
        };
        let port = server.addrs().first().context("no address")?.port();
        let running = server.run();
        let server = running.handle();
        tokio::spawn(running);
        Ok(Self {
            shared,
            received,
            server,
            url: format!("{scheme}://localhost:{port}"),
            set,
        })
    }

    /// The URL of an endpoint.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Lines of the gateway's section `[webhooks]`: trust in this server's authority.
    #[must_use]
    pub fn trusted(&self) -> String {
        format!("extra_ca = '{}'\n", self.set.internal_ca.certificate.display())
    }

    /// Lines of the gateway's section `[webhooks]`: a client certificate that this server takes.
    #[must_use]
    pub fn certified(&self) -> String {
        let own = &self.set.auditor;
        format!(
            "client_certificate = '{}'\nclient_key = '{}'\n",
            own.certificate.display(),
            own.key.display()
        )
    }

    /// Answers the next messages with these statuses, later ones with 200.
    pub fn answer_next(&self, statuses: &[u16]) {
        self.state().answers = statuses.iter().copied().collect();
    }

    /// Takes so long for each answer.
    pub fn take_its_time(&self, pause: Duration) {
        self.state().pause = pause;
    }

    /// How often a message came while the same was being answered.
    #[must_use]
    pub fn met(&self) -> u32 {
        self.state().met
    }

    /// Everything that came so far.
    #[must_use]
    pub fn so_far(&self) -> Vec<ReceivedWebhook> {
        self.received.borrow().clone()
    }

    /// All messages that `wanted` picks; waits until there are `count`.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn received(
        &self,
        count: usize,
        wanted: impl Fn(&ReceivedWebhook) -> bool,
    ) -> Result<Vec<ReceivedWebhook>> {
        let mut received = self.received.clone();
        let picked = |all: &Vec<ReceivedWebhook>| -> Vec<ReceivedWebhook> {
            all.iter().filter(|one| wanted(one)).cloned().collect()
        };
        let found = timeout(PATIENCE, received.wait_for(|all| picked(all).len() >= count)).await;
        let all = found
            .with_context(|| format!("{count} webhooks did not come"))?
            .context("the server ended")?;
        Ok(picked(&all))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        state(&self.shared)
    }
}

fn state(shared: &Shared) -> MutexGuard<'_, State> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tls(set: &DevSet, how: WebhookTls) -> Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&set.gateway_server.certificate)?.collect();
    let key = PrivateKeyDer::from_pem_file(&set.gateway_server.key)?;
    if how == WebhookTls::Server {
        return Ok(builder.with_no_client_auth().with_single_cert(chain?, key)?);
    }
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(&set.internal_ca.certificate)? {
        roots.add(root?)?;
    }
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
    Ok(builder
        .with_client_cert_verifier(clients)
        .with_single_cert(chain?, key)?)
}

/// A message that is being answered: until its answer is ready, or nobody waits for it any more.
struct Open<'a>(&'a Shared, String);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(open) = state(self.0).open.get_mut(&self.1) {
            *open -= 1;
        }
    }
}

async fn take(request: HttpRequest, shared: web::Data<Shared>, body: String) -> HttpResponse {
    let Some((id, timestamp, signature)) = headers(request.headers()) else {
        return HttpResponse::BadRequest().finish();
    };
    let (status, pause) = {
        let mut state = state(&shared);
        let open = state.open.entry(id.clone()).or_default();
        *open += 1;
        let met = *open > 1;
        state.met += u32::from(met);
        (state.answers.pop_front().unwrap_or(200), state.pause)
    };
    let _open = Open(&shared, id.clone());
    sleep(pause).await;
    let message = ReceivedWebhook {
        path: request.path().to_owned(),
        id,
        timestamp,
        signature,
        text: body,
        status,
    };
    shared.1.send_modify(|all| all.push(message));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).body("thank you")
}

fn headers(headers: &HeaderMap) -> Option<(String, i64, String)> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    let timestamp = text("webhook-timestamp")?.parse().ok()?;
    let is_json = text("content-type")? == "application/json";
    is_json.then_some((text("webhook-id")?, timestamp, text("webhook-signature")?))
}
