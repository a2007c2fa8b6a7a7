//! An auditor at the vault's door: fetches the whole log and checks by itself that a signed checkpoint is its root.

use anyhow::{Context, Result, ensure};
use openssl::sha::Sha256;
use serde_json::Value;
use shared::vault_api::audit::{AuditCheckpoint, AuditEntry, AuditPage, AuditProof};
use shared::vault_api::paths;

use super::door::Door;
use super::jose::{Trust, base64url};
use super::tlog::{self, Checkpoint, NoteKey};

/// Events asked for at once.
const PAGE: usize = 500;

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
    /// The signed note that covers them.
    pub note: String,
    /// What it says.
    pub checkpoint: Checkpoint,
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

    /// A checkpoint, and the key that signed it, once the vault's certificate vouches for that.
    ///
    /// # Errors
    /// When it is refused, or is not the vault's word.
    pub async fn checkpoint(&self) -> Result<(AuditCheckpoint, Checkpoint)> {
        let answer: AuditCheckpoint = self
            .door
            .get(paths::AUDIT_CHECKPOINT)
            .await?
            .expect(200)?
            .read_as()?;
        let attested = self
            .trust
            .verify(&answer.attestation, "audit-key+jwt")
            .context("the attestation of the audit key")?;
        ensure!(
            attested.get("vkey").and_then(Value::as_str) == Some(&answer.vkey),
            "the audit key is not the one that is attested"
        );
        let checkpoint = Checkpoint::verify(&answer.note, &NoteKey::read(&answer.vkey)?)?;
        Ok((answer, checkpoint))
    }

    /// Checks, by a proof from the door, that a log which was at `old` is still that log at `new`.
    ///
    /// # Errors
    /// When the proof is refused or does not hold.
    pub async fn check_consistency(&self, old: &Checkpoint, new: &Checkpoint) -> Result<()> {
        let path = format!("{}?from={}&to={}", paths::AUDIT_CONSISTENCY, old.size, new.size);
        let proof: AuditProof = self.door.get(&path).await?.expect(200)?.read_as()?;
        let proof = tlog::hashes(&proof.hashes)?;
        tlog::check_consistency((old.size, &old.root), (new.size, &new.root), &proof)
    }

    /// The event at `index`, once a proof from the door shows that it is under `checkpoint`.
    ///
    /// # Errors
    /// When event or proof are refused, or the proof does not hold.
    pub async fn event(&self, index: u64, checkpoint: &Checkpoint) -> Result<AuditEntry> {
        let path = format!("{}?from={index}&limit=1", paths::AUDIT_EVENTS);
        let page: AuditPage = self.door.get(&path).await?.expect(200)?.read_as()?;
        let entry = page.events.into_iter().next().context("no such event")?;
        let size = checkpoint.size;
        let path = format!("{}?index={index}&size={size}", paths::AUDIT_INCLUSION);
        let proof: AuditProof = self.door.get(&path).await?.expect(200)?.read_as()?;
        let (leaf, proof) = (tlog::leaf(entry.event.as_bytes()), tlog::hashes(&proof.hashes)?);
        tlog::check_inclusion(&leaf, index, size, &proof, &checkpoint.root)?;
        Ok(entry)
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

    /// Fetches checkpoint and events and checks that the one is the signed root of the others.
    ///
    /// # Errors
    /// The first place where the log is not what its checkpoint says.
    pub async fn verify(&self) -> Result<AuditReport> {
        let (answer, checkpoint) = self.checkpoint().await?;
        let events = self.events(checkpoint.size).await?;
        let mut leaves = Vec::with_capacity(events.len());
        for (position, entry) in events.iter().enumerate() {
            ensure!(
                entry.index == position as u64,
                "event {} stands at place {position}",
                entry.index
            );
            leaves.push(tlog::leaf(entry.event.as_bytes()));
        }
        ensure!(
            tlog::root(&leaves) == checkpoint.root,
            "the events are not those of the signed checkpoint"
        );
        Ok(AuditReport {
            events,
            note: answer.note,
            checkpoint,
        })
    }
}

impl AuditReport {
    /// A short form of the root, for people to compare.
    #[must_use]
    pub fn short_root(&self) -> String {
        let root = self.checkpoint.root.iter().take(8);
        root.map(|byte| format!("{byte:02x}")).collect()
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
