//! A security officer at the vault's door: hands in a share, proposes, approves what another proposed.

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use shared::ids::SlotName;
use shared::vault_api::governance::{Approval, Approve, Proposal};
use shared::vault_api::paths;
use shared::vault_api::slots::{SealedShare, SlotInfo};

use super::door::Door;
use super::jose::random_id;
use crate::answer::Answer;

/// One officer.
#[derive(Debug, Clone)]
pub struct Officer {
    door: Door,
}

impl Officer {
    /// An officer at a door that was made with the officer's certificate.
    #[must_use]
    pub const fn new(door: Door) -> Self {
        Self { door }
    }

    /// The vault's door.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    fn post(&self, path: &str) -> Result<super::Call> {
        Ok(self.door.call(Method::POST, path).idempotency_key(&random_id()?))
    }

    /// Hands in a share of the root key.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn give_share(&self, share: &str) -> Result<Answer> {
        self.post(paths::UNLOCK)?
            .json(&json!({ "share": share }))
            .send()
            .await
    }

    /// Locks the vault.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn lock(&self) -> Result<Answer> {
        self.post(paths::LOCK)?.send().await
    }

    /// Proposes a change.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn propose(&self, proposal: &Proposal) -> Result<Approval> {
        self.post(paths::APPROVALS)?
            .json(proposal)
            .send()
            .await?
            .expect(201)?
            .read_as()
    }

    /// Approves what another officer proposed, repeating its hash.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn approve(&self, approval: &Approval) -> Result<Answer> {
        self.post(&paths::approve(&approval.id))?
            .json(&Approve {
                hash: approval.hash.clone(),
            })
            .send()
            .await
    }

    /// Both steps, this officer proposing and `second` approving.
    ///
    /// # Errors
    /// When either is refused.
    pub async fn carry_through(&self, second: &Self, proposal: &Proposal) -> Result<()> {
        let approval = self.propose(proposal).await?;
        second.approve(&approval).await?.expect(200)?;
        Ok(())
    }

    /// Whether the vault is locked, and how many shares it has.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn status(&self) -> Result<Answer> {
        self.door.get(paths::STATUS).await
    }

    /// The root key's slots.
    ///
    /// # Errors
    /// When they are refused.
    pub async fn slots(&self) -> Result<Vec<SlotInfo>> {
        self.door.get(paths::SLOTS).await?.expect(200)?.read_as()
    }

    /// This officer's own share of a pending slot, still sealed.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn sealed_share(&self, slot: &SlotName) -> Result<String> {
        let answer = self.door.get(&paths::slot_share(slot)).await?;
        Ok(answer.expect(200)?.read_as::<SealedShare>()?.share)
    }

    /// Shows a share to verify or drill a slot, or drills one that has no custodians.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn show_share(&self, slot: &SlotName, share: Option<&str>) -> Result<Answer> {
        let body = share.map_or_else(|| json!({}), |share| json!({ "share": share }));
        self.post(&paths::drill_slot(slot))?.json(&body).send().await
    }

    /// The register of persons and parties.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn parties(&self) -> Result<Answer> {
        self.door.get(paths::PARTIES).await
    }
}
