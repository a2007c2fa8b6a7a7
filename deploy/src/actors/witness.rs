//! A witness as somebody else would run one (C2SP tlog-witness over mutual TLS): it keeps the newest checkpoint of one log,
//! takes another only with a proof that the log grew, and signs what it took. Its authority is its own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certs::{DevOptions, DevSet};
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use shared::clock::Clock;

use super::tlog::{self, Checkpoint, Hash, NoteKey, key_id};

const NAME: &str = "witness.example/tessera";
/// The type of a key of cosignatures.
const COSIGNATURE: u8 = 4;

/// A running witness.
pub struct Witness {
    state: Arc<Mutex<State>>,
    server: ServerHandle,
    port: u16,
    set: DevSet,
}

struct State {
    key: PKey<Private>,
    log: Option<NoteKey>,
    seen: Option<(u64, Hash)>,
    refused: u32,
}

impl Witness {
    /// Makes an authority of its own below `directory`, a key, and listens on a free port.
    ///
    /// # Errors
    /// When files or the port cannot be had.
    pub fn start(directory: &Path) -> Result<Self> {
        let set = DevSet::create(
            &directory.join("witness-pki"),
            &DevOptions::default(),
            &Clock::System,
        )?;
        let state = Arc::new(Mutex::new(State {
            key: PKey::generate_ed25519()?,
            log: None,
            seen: None,
            refused: 0,
        }));
        let data = web::Data::from(Arc::clone(&state));
        let app = move || {
            App::new()
                .app_data(data.clone())
                .route("/add-checkpoint", web::post().to(add_checkpoint))
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind_rustls_0_23(("127.0.0.1", 0), tls(&set)?)?;
        let port = server.addrs().first().context("no address")?.port();
        let running = server.run();
        let server = running.handle();
        tokio::spawn(running);
        Ok(Self {
            state,
            server,
            port,
            set,
        })
    }

    /// The section of the vault's configuration that names this witness.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub fn section(&self) -> Result<String> {
        let key = [&[COSIGNATURE], self.state().key.raw_public_key()?.as_slice()].concat();
        let id: String = key_id(NAME, &key)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let own = &self.set.auditor;
        Ok(format!(
            "[[audit.witnesses]]\nkind = \"http\"\nurl = \"https://127.0.0.1:{}\"\nvkey = \"{NAME}+{id}+{}\"\n\
             ca = '{}'\ncrl = '{}'\ncertificate = '{}'\nkey = '{}'\n",
            self.port,
            STANDARD.encode(&key),
            self.set.internal_ca.certificate.display(),
            self.set.internal_crl.display(),
            own.certificate.display(),
            own.key.display(),
        ))
    }

    /// Begins to follow the log of this key.
    ///
    /// # Errors
    /// When it is no key.
    pub fn follow(&self, vkey: &str) -> Result<()> {
        self.state().log = Some(NoteKey::read(vkey)?);
        Ok(())
    }

    /// The size of the newest checkpoint that it signed.
    #[must_use]
    pub fn seen(&self) -> Option<u64> {
        self.state().seen.map(|(size, _)| size)
    }

    /// How many checkpoints it refused for their size or their proof.
    #[must_use]
    pub fn refused(&self) -> u32 {
        self.state().refused
    }

    /// Stops listening.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Witness({})", self.port)
    }
}

fn tls(set: &DevSet) -> Result<ServerConfig> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(&set.internal_ca.certificate)? {
        roots.add(root?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&set.gateway_server.certificate)?.collect();
    let key = PrivateKeyDer::from_pem_file(&set.gateway_server.key)?;
    Ok(ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain?, key)?)
}

async fn add_checkpoint(state: web::Data<Mutex<State>>, body: String) -> HttpResponse {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    match state.add(&body) {
        Ok(Added::Taken(line)) => HttpResponse::Ok().body(line),
        Ok(Added::Unknown) => HttpResponse::NotFound().finish(),
        Ok(Added::Conflict(size)) => {
            state.refused += 1;
            HttpResponse::Conflict()
                .content_type("text/x.tlog.size")
                .body(format!("{size}\n"))
        }
        Ok(Added::Unproved) => {
            state.refused += 1;
            HttpResponse::UnprocessableEntity().finish()
        }
        Err(error) => HttpResponse::BadRequest().body(format!("{error:#}")),
    }
}

enum Added {
    Taken(String),
    Unknown,
    Conflict(u64),
    Unproved,
}

impl State {
    fn add(&mut self, body: &str) -> Result<Added> {
        let (head, note) = body.split_once("\n\n").context("no empty line")?;
        let mut lines = head.lines();
        let old: u64 = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .context("no old size")?
            .parse()?;
        let proof: Vec<String> = lines.map(str::to_owned).collect();
        let Some(log) = &self.log else {
            return Ok(Added::Unknown);
        };
        if note.lines().next() != Some(log.name()) {
            return Ok(Added::Unknown);
        }
        let new = Checkpoint::verify(note, log)?;
        let (size, root) = self.seen.unwrap_or((0, [0; 32]));
        if old != size || (old == new.size && root != new.root) {
            return Ok(Added::Conflict(size));
        }
        anyhow::ensure!(old <= new.size, "old is larger than the checkpoint");
        if tlog::check_consistency((size, &root), (new.size, &new.root), &tlog::hashes(&proof)?).is_err() {
            return Ok(Added::Unproved);
        }
        self.seen = Some((new.size, new.root));
        self.cosign(&new).map(Added::Taken)
    }

    /// C2SP tlog-cosignature: key id, time, and the signature over both time and checkpoint.
    fn cosign(&self, checkpoint: &Checkpoint) -> Result<String> {
        let time = u64::try_from(Clock::System.unix_seconds())?;
        let message = format!("cosignature/v1\ntime {time}\n{}", checkpoint.text);
        let signature = Signer::new_without_digest(&self.key)?.sign_oneshot_to_vec(message.as_bytes())?;
        let typed = [&[COSIGNATURE], self.key.raw_public_key()?.as_slice()].concat();
        let bytes = [key_id(NAME, &typed).as_slice(), &time.to_be_bytes(), &signature].concat();
        Ok(format!("\u{2014} {NAME} {}\n", STANDARD.encode(bytes)))
    }
}
