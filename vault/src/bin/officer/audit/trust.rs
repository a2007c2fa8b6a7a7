//! Which key signs the log: the one that was given, or the one that the vault's certificate vouches for.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use serde_json::Value;
use shared::clock::Clock;
use shared::jws::{VaultTrust, VaultWordError, audit_key};
use shared::vault_api::audit::AuditCheckpoint;
use time::OffsetDateTime;
use vault::audit::checkpoint::Checkpoint;
use vault::audit::note::VerifierKey;

use crate::cli::Context;
use crate::connection::environment;
use crate::failure::Failure;
use crate::files;

/// A CA's certificates, or its revocation list.
const MOST_TRUST_BYTES: u64 = 4 * 1024 * 1024;
/// A checkpoint with its handovers.
const MOST_CHECKPOINT_BYTES: u64 = 1024 * 1024;

/// A checkpoint whose signature and key were checked.
pub struct Checked {
    /// As the vault gave it.
    pub answer: AuditCheckpoint,
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The key that signed it.
    pub key: VerifierKey,
}

/// Reads a verifier key.
///
/// # Errors
/// It is none.
pub fn key(text: &str) -> Result<VerifierKey, Failure> {
    text.trim().parse().map_err(|_| {
        Failure::usage("a verifier key is NAME+8 hexadecimal digits+base64, as `audit checkpoint` shows it")
    })
}

/// Reads a checkpoint that was kept.
///
/// # Errors
/// It is none.
pub fn read(path: &Path) -> Result<AuditCheckpoint, Failure> {
    let text = files::read_text(path, MOST_CHECKPOINT_BYTES)?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{} is no checkpoint: {error}", path.display())))
}

/// Checks a checkpoint by the CA's word for the vault, and the vault's for its audit key.
///
/// # Errors
/// [`Failure::Unverified`].
pub fn check(context: &Context, answer: AuditCheckpoint) -> Result<Checked, Failure> {
    let key = attested(&vault_trust(context.options().trust(&environment)?)?, &answer)?;
    let checkpoint = Checkpoint::verify(&answer.note, &key)
        .map_err(|error| Failure::Unverified(format!("the checkpoint: {error}")))?;
    Ok(Checked {
        answer,
        checkpoint,
        key,
    })
}

/// The audit key, once the vault's certificate vouches for it. An attestation holds for a day; one that was kept with an
/// export is taken for the vault's word of its own time.
fn attested(trust: &VaultTrust, answer: &AuditCheckpoint) -> Result<VerifierKey, Failure> {
    let told =
        |error: VaultWordError| Failure::Unverified(format!("the attestation of the audit key: {error}"));
    let claims = match audit_key::verify(&answer.attestation, trust, Clock::System.now()) {
        Err(error) => match issued_at(&answer.attestation) {
            Some(then) if then <= Clock::System.now() => {
                audit_key::verify(&answer.attestation, trust, then).map_err(told)?
            }
            _ => return Err(told(error)),
        },
        Ok(claims) => claims,
    };
    if claims.vkey != answer.vkey {
        return Err(Failure::Unverified(
            "the vault's certificate vouches for another audit key".to_owned(),
        ));
    }
    key(&claims.vkey)
}

/// When an attestation says that it was issued: believed only if its signature holds at that time.
fn issued_at(attestation: &str) -> Option<OffsetDateTime> {
    let claims = URL_SAFE_NO_PAD.decode(attestation.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    OffsetDateTime::from_unix_timestamp(claims.get("iat")?.as_i64()?).ok()
}

/// The pinned CA, and its revocation list where one is named.
///
/// # Errors
/// [`Failure::Usage`]: a file cannot be read.
pub fn vault_trust((ca, crl): (PathBuf, Option<PathBuf>)) -> Result<VaultTrust, Failure> {
    let bad = |path: &Path, what: &str| Failure::usage(format!("{} holds no {what} in PEM", path.display()));
    let pem = files::read_text(&ca, MOST_TRUST_BYTES)?;
    let roots: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| bad(&ca, "certificate"))?;
    let mut lists = Vec::new();
    if let Some(crl) = &crl {
        let pem = files::read_text(crl, MOST_TRUST_BYTES)?;
        lists = CertificateRevocationListDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| bad(crl, "revocation list"))?;
    }
    VaultTrust::new(&roots, &lists).map_err(|error| Failure::usage(format!("{}: {error}", ca.display())))
}
