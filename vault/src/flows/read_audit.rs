//! The auditor's view: events, signed checkpoints, and proofs between them. Reading is itself an event.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared::vault_api::audit::{AuditCheckpoint, AuditEntry, AuditPage, AuditProof};

use crate::audit::checkpoint::{self, Checkpoint, Head};
use crate::audit::event::Event;
use crate::audit::merkle;
use crate::audit::note::hex;
use crate::error::Error;
use crate::open_vault::OpenVault;

/// Events in one page.
pub const MOST_EVENTS: u64 = 1000;

/// A checkpoint of the log's durable end. It covers the event that this reading is.
///
/// # Errors
/// The log cannot be written.
pub async fn checkpoint(vault: &Arc<OpenVault>, event: Event) -> Result<AuditCheckpoint, Error> {
    let head = vault.commit_head(event).await?;
    let internal = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
    let keyring = vault.keyring();
    let origin = &vault.surroundings.origin;
    let key = checkpoint::verifier_key(keyring.audit_key(), origin).map_err(|error| internal(&error))?;
    let claims = checkpoint::attested(&key, vault.surroundings.clock.now());
    let attestation = claims.sign(&vault.surroundings.signer.load());
    Ok(AuditCheckpoint {
        note: sign(vault, head)?,
        vkey: key.to_string(),
        attestation: attestation.map_err(|error| internal(&error))?,
        handovers: vault.successions(0, head.size)?,
    })
}

/// Signs a durable head of the log.
///
/// # Errors
/// The origin names no key.
pub fn sign(vault: &OpenVault, head: Head) -> Result<String, Error> {
    let origin = vault.surroundings.origin.to_string();
    let note = Checkpoint { origin, head }.sign(vault.keyring().audit_keys());
    note.map_err(|error| Error::Internal(error.to_string()))
}

/// Up to `limit` events from index `from`.
///
/// # Errors
/// An event is missing or does not open.
pub async fn events(vault: &Arc<OpenVault>, event: Event, from: u64, limit: u64) -> Result<AuditPage, Error> {
    vault.commit(event, |_, _| Ok(())).await?;
    off_the_async_threads(vault, move |vault| page(vault, from, limit.min(MOST_EVENTS))).await
}

/// Proves that event `index` is in the log of `size` events.
///
/// # Errors
/// [`Error::Validation`] where there is nothing to prove; an event or a node does not open.
pub async fn inclusion(
    vault: &Arc<OpenVault>,
    event: Event,
    index: u64,
    size: u64,
) -> Result<AuditProof, Error> {
    let durable = vault.commit_head(event).await?.size;
    if size > durable {
        return Err(out_of_range("size", durable));
    }
    if index >= size {
        return Err(out_of_range("index", size));
    }
    off_the_async_threads(vault, move |vault| {
        vault.log(|log| log.inclusion(index, size)).map(proof)
    })
    .await
}

/// Proves that the log of `to` events begins with that of `from`.
///
/// # Errors
/// As for [`inclusion`].
pub async fn consistency(
    vault: &Arc<OpenVault>,
    event: Event,
    from: u64,
    to: u64,
) -> Result<AuditProof, Error> {
    let durable = vault.commit_head(event).await?.size;
    if to > durable {
        return Err(out_of_range("to", durable));
    }
    if from > to {
        return Err(out_of_range("from", to));
    }
    off_the_async_threads(vault, move |vault| {
        vault.log(|log| log.consistency(from, to)).map(proof)
    })
    .await
}

fn out_of_range(field: &'static str, end: u64) -> Error {
    Error::Validation {
        field,
        code: "OUT_OF_RANGE",
        message: format!("there are {end} events to look at").into(),
    }
}

fn proof(hashes: Vec<merkle::Hash>) -> AuditProof {
    AuditProof {
        hashes: hashes.iter().map(|hash| STANDARD.encode(hash)).collect(),
    }
}

pub(super) async fn off_the_async_threads<T: Send + 'static>(
    vault: &Arc<OpenVault>,
    work: impl FnOnce(&OpenVault) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let vault = Arc::clone(vault);
    let done = tokio::task::spawn_blocking(move || work(&vault));
    done.await.map_err(|error| Error::Internal(error.to_string()))?
}

fn page(vault: &OpenVault, from: u64, limit: u64) -> Result<AuditPage, Error> {
    let mut events = Vec::new();
    for index in from..from.saturating_add(limit) {
        let Some(bytes) = vault.log(|log| log.find(index))? else {
            return Ok(AuditPage { events, next: None });
        };
        events.push(entry(index, &bytes)?);
    }
    Ok(AuditPage {
        events,
        next: Some(from.saturating_add(limit)),
    })
}

/// An event as it is handed out.
///
/// # Errors
/// It is no text.
pub fn entry(index: u64, bytes: &[u8]) -> Result<AuditEntry, Error> {
    let event = std::str::from_utf8(bytes).map_err(|error| Error::Corrupt(error.to_string()))?;
    Ok(AuditEntry {
        index,
        event: event.to_owned(),
        hash: hex(&merkle::leaf(bytes)),
    })
}
