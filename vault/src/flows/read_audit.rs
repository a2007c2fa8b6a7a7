//! The auditor's view: events with their place in the chain, and a signed head. Reading is itself an event.

use std::sync::Arc;

use shared::jws::audit_head::AuditHeadClaims;
use shared::vault_api::audit::{AuditEntry, AuditHead, AuditPage};

use crate::audit::chain::hex;
use crate::audit::event::Event;
use crate::error::Error;
use crate::ledger::Link;
use crate::open_vault::OpenVault;

/// Events in one page.
pub const MOST_EVENTS: u64 = 1000;

/// The chain's durable end, signed by the vault's certificate. It covers the event that this reading is.
///
/// # Errors
/// The log cannot be written.
pub async fn head(vault: &Arc<OpenVault>, event: Event) -> Result<AuditHead, Error> {
    let head = vault.commit_head(event).await?;
    let (size, hash) = (head.size, hex(&head.hash));
    let claims = AuditHeadClaims {
        size,
        hash: hash.clone(),
        iat: vault.now(),
    };
    let signature = claims.sign(&vault.surroundings.signer.load());
    let signature = signature.map_err(|error| Error::Internal(error.to_string()))?;
    Ok(AuditHead {
        size,
        hash,
        signature,
    })
}

/// Up to `limit` events from index `from`, each with the chain's hash after it.
///
/// # Errors
/// An event is missing or does not open.
pub async fn events(vault: &Arc<OpenVault>, event: Event, from: u64, limit: u64) -> Result<AuditPage, Error> {
    vault.commit(event, |_, _| Ok(())).await?;
    let vault = Arc::clone(vault);
    let page = tokio::task::spawn_blocking(move || page(&vault, from, limit.min(MOST_EVENTS)));
    page.await.map_err(|error| Error::Internal(error.to_string()))?
}

fn page(vault: &OpenVault, from: u64, limit: u64) -> Result<AuditPage, Error> {
    let mut events = Vec::new();
    for index in from..from.saturating_add(limit) {
        let Some(link) = Link::find(&vault.surroundings.store, &vault.keyring(), index)? else {
            return Ok(AuditPage { events, next: None });
        };
        let event = String::from_utf8(link.bytes).map_err(|error| Error::Corrupt(error.to_string()))?;
        events.push(AuditEntry {
            index,
            event,
            hash: hex(&link.hash),
        });
    }
    Ok(AuditPage {
        events,
        next: Some(from.saturating_add(limit)),
    })
}
