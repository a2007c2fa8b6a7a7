//! A witness that is a server (C2SP tlog-witness): it gets the newest checkpoint with a proof that the log only grew since
//! the last one it took, and answers with its cosignature. One of the two calls that leave the vault.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use shared::clock::Clock;
use shared::mtls::certificate::ReloadingCertificate;
use shared::mtls::client;
use shared::mtls::reload::Reload;
use shared::mtls::trust::ReloadingTrust;

use super::{MOST_TRIES, Refusal, durable, unavailable};
use crate::audit::note::{KeyKind, Note, VerifierKey};
use crate::flows::read_audit;
use crate::open_vault::OpenVault;

const CONNECT_TIME: Duration = Duration::from_secs(2);
const CALL_TIME: Duration = Duration::from_secs(4);
/// Longer than any list of cosignatures.
const MOST_ANSWER_BYTES: usize = 16 * 1024;

/// `kind = "http"`: a server that speaks C2SP tlog-witness over mutual TLS. Its authority is pinned, and need not be ours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// What comes before `/add-checkpoint`, e.g. `https://witness.example/tessera`.
    pub url: String,
    /// Its key: cosignatures by any other are not taken.
    pub vkey: VerifierKey,
    /// The authority of its certificate.
    pub ca: PathBuf,
    /// That authority's revocation list.
    pub crl: PathBuf,
    /// The certificate that we show there: of the client kind, as the witness gave it to us.
    pub certificate: PathBuf,
    /// Its key, PKCS#8, mode 0600.
    pub key: PathBuf,
}

/// A witness that cannot be asked at all.
#[derive(Debug, thiserror::Error)]
#[error("audit.witnesses: {url}: {reason}")]
pub struct AccessError {
    url: String,
    reason: String,
}

/// One server.
pub(super) struct HttpWitness {
    client: Client,
    url: Url,
    vkey: VerifierKey,
    /// The size of its last checkpoint, as far as we know.
    last: u64,
    reloads: [Arc<dyn Reload>; 2],
}

enum Answer {
    Taken(String),
    /// Its last checkpoint has this size.
    Other(u64),
    /// The proof does not hold for it.
    Unproved,
}

impl HttpWitness {
    pub(super) fn new(access: &Access, clock: &Clock) -> Result<Self, AccessError> {
        let cannot = |reason: &dyn std::fmt::Display| AccessError {
            url: access.url.clone(),
            reason: reason.to_string(),
        };
        if access.vkey.kind() != KeyKind::Cosignature {
            return Err(cannot(&"the key is not one of cosignatures (type 0x04)"));
        }
        let url = format!("{}/add-checkpoint", access.url.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| cannot(&error))?;
        let certificate = ReloadingCertificate::load(&access.certificate, &access.key, clock.clone());
        let certificate = Arc::new(certificate.map_err(|error| cannot(&error))?);
        let trust = ReloadingTrust::load(&access.ca, &access.crl, clock.clone());
        let trust = Arc::new(trust.map_err(|error| cannot(&error))?);
        let reloads: [Arc<dyn Reload>; 2] = [certificate.clone(), trust.clone()];
        let tls = client::pinned(certificate, trust, clock).map_err(|error| cannot(&error))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIME)
            .timeout(CALL_TIME)
            .build();
        Ok(Self {
            client: client.map_err(|error| cannot(&error))?,
            url,
            vkey: access.vkey.clone(),
            last: 0,
            reloads,
        })
    }

    /// Certificate and trust, to be read again when their files change.
    pub(super) fn reloads(&self) -> impl Iterator<Item = Arc<dyn Reload>> {
        self.reloads.iter().cloned()
    }

    /// Gives it the durable head, and what it has seen then.
    pub(super) async fn tell(&mut self, vault: &Arc<OpenVault>) -> Result<Option<u64>, Refusal> {
        for _ in 0..MOST_TRIES {
            let head = durable(vault).await?;
            if head.size == 0 {
                return Ok(None);
            }
            let old = self.last.min(head.size);
            let note = read_audit::sign(vault, head).map_err(|error| unavailable(&error))?;
            let proof = proof(vault, old, head.size).await?;
            match self.post(format!("old {old}\n{proof}\n{note}")).await? {
                Answer::Taken(lines) => {
                    self.cosigned(&note, &lines)?;
                    self.last = head.size;
                    return Ok(Some(head.size));
                }
                Answer::Other(size) if size > head.size && durable(vault).await?.size < size => {
                    return Err(Refusal::Behind { witnessed: size });
                }
                // Of the same size, and yet not taken: of another root.
                Answer::Other(size) if size == old => return Err(Refusal::Forked { witnessed: size }),
                Answer::Other(size) => self.last = size,
                Answer::Unproved => return Err(Refusal::Forked { witnessed: old }),
            }
        }
        Err(Refusal::Unavailable(
            "the witness hears from others too often".to_owned(),
        ))
    }

    /// Checks that the witness signed this very checkpoint.
    fn cosigned(&self, note: &str, lines: &str) -> Result<(), Refusal> {
        let (text, _) = note.rsplit_once("\n\n").unwrap_or((note, ""));
        let whole = Note::parse(&format!("{text}\n\n{lines}")).map_err(|error| unavailable(&error))?;
        self.vkey.verify(&whole).map_err(|error| unavailable(&error))?;
        Ok(())
    }

    async fn post(&self, body: String) -> Result<Answer, Refusal> {
        let sent = self.client.post(self.url.clone()).body(body).send().await;
        let answer = sent.map_err(|error| unavailable(&error.without_url()))?;
        let status = answer.status();
        let text = read(answer).await?;
        match status {
            StatusCode::OK => Ok(Answer::Taken(text)),
            StatusCode::CONFLICT => {
                let size = text.trim_end().parse();
                size.map(Answer::Other)
                    .map_err(|_| unavailable(&"a conflict without a size"))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::Unproved),
            other => Err(Refusal::Unavailable(format!(
                "the witness answers {}",
                other.as_u16()
            ))),
        }
    }
}

async fn proof(vault: &Arc<OpenVault>, old: u64, size: u64) -> Result<String, Refusal> {
    let vault = Arc::clone(vault);
    let hashes = tokio::task::spawn_blocking(move || vault.log(|log| log.consistency(old, size))).await;
    let hashes = hashes.map_err(|error| unavailable(&error))?;
    let hashes = hashes.map_err(|error| unavailable(&error))?;
    Ok(hashes.iter().map(|hash| STANDARD.encode(hash) + "\n").collect())
}

async fn read(mut answer: Response) -> Result<String, Refusal> {
    let mut body = Vec::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| unavailable(&error.without_url()))?
    {
        if body.len() + chunk.len() > MOST_ANSWER_BYTES {
            return Err(unavailable(&"the answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|error| unavailable(&error))
}
