//! An auditor at the vault's door: fetches the whole log and checks the chain by itself, event by event, up to the signed head.

use anyhow::{Context, Result, ensure};
use openssl::sha::Sha256;
use serde_json::Value;
use shared::vault_api::audit::{AuditEntry, AuditHead, AuditPage};
use shared::vault_api::paths;

use super::door::Door;
use super::jose::{Trust, base64url};

/// Events asked for at once.
const PAGE: usize = 500;
/// Prefixes that keep a leaf from passing for a link.
const EVENT_PREFIX: u8 = 0;
const LINK_PREFIX: u8 = 1;

/// One auditor.
#[derive(Debug)]
pub struct Auditor {
    door: Door,
    trust: Trust,
}

/// What a verified log came to.
#[derive(Debug, Clone)]
pub struct AuditReport {
    /// The events, in order.
    pub events: Vec<AuditEntry>,
    /// The head whose signature and hash were checked.
    pub head: AuditHead,
}

impl Auditor {
    /// An auditor at a door that was made with the auditor's certificate.
    #[must_use]
    pub const fn new(door: Door, trust: Trust) -> Self {
        Self { door, trust }
    }

    /// The vault's door.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// The signed head of the chain.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn head(&self) -> Result<AuditHead> {
        self.door.get(paths::AUDIT_HEAD).await?.expect(200)?.read_as()
    }

    /// All events before `size`.
    ///
    /// # Errors
    /// When a page is refused, empty, or not where it must be.
    pub async fn events(&self, size: u64) -> Result<Vec<AuditEntry>> {
        let mut events: Vec<AuditEntry> = Vec::new();
        while (events.len() as u64) < size {
            let path = format!("{}?from={}&limit={PAGE}", paths::AUDIT_EVENTS, events.len());
            let page: AuditPage = self.door.get(&path).await?.expect(200)?.read_as()?;
            ensure!(
                !page.events.is_empty(),
                "the log ends at {} of {size} events",
                events.len()
            );
            events.extend(page.events);
        }
        events.truncate(usize::try_from(size)?);
        Ok(events)
    }

    /// Fetches head and events and checks every link and the signature.
    ///
    /// # Errors
    /// The first place where the log is not what its head says.
    pub async fn verify(&self) -> Result<AuditReport> {
        let head = self.head().await?;
        let signed = self
            .trust
            .verify(&head.signature, "audit-head+jwt")
            .context("the head's signature")?;
        let says = |name: &str| signed.get(name).cloned().unwrap_or(Value::Null);
        ensure!(
            says("size") == head.size && says("hash") == head.hash.as_str(),
            "the head is not what was signed"
        );
        let events = self.events(head.size).await?;
        let mut previous = [0; 32];
        for (position, entry) in events.iter().enumerate() {
            ensure!(
                entry.index == position as u64,
                "event {} stands at place {position}",
                entry.index
            );
            previous = link(&previous, entry.event.as_bytes());
            ensure!(
                hex(&previous) == entry.hash,
                "event {position} or one before it was changed"
            );
        }
        ensure!(hex(&previous) == head.hash, "the chain does not end at its head");
        Ok(AuditReport { events, head })
    }
}

fn link(previous: &[u8; 32], event: &[u8]) -> [u8; 32] {
    let mut leaf = Sha256::new();
    leaf.update(&[EVENT_PREFIX]);
    leaf.update(event);
    let mut link = Sha256::new();
    link.update(&[LINK_PREFIX]);
    link.update(previous);
    link.update(&leaf.finish());
    link.finish()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl AuditReport {
    /// A short form of the head's hash, for people to compare.
    #[must_use]
    pub fn short_head(&self) -> String {
        self.head.hash.chars().take(16).collect()
    }

    /// SHA-256 over the events as they were read, for a test that compares two readings.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for entry in &self.events {
            hash.update(entry.event.as_bytes());
        }
        base64url(&hash.finish())
    }
}
