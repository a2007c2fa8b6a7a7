//! The issuing processor at the vault's door: verifies a CVV or a PIN by PAN, as an authorisation would, and
//! locks cards outside.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use shared::vault_api::paths;
use shared::vault_api::processor::{Outcome, OutsideLock, Verification};

use super::door::Door;
use super::jose::random_id;
use crate::answer::Answer;

/// One processor.
#[derive(Debug, Clone)]
pub struct Processor {
    door: Door,
}

impl Processor {
    /// A processor at a door that was made with its certificate.
    #[must_use]
    pub const fn new(door: Door) -> Self {
        Self { door }
    }

    /// A verification with any body.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn verify(&self, path: &str, body: &Value) -> Result<Answer> {
        self.door
            .call(Method::POST, path)
            .idempotency_key(&random_id()?)
            .json(body)
            .send()
            .await
    }

    /// Locks a card for a reason of the table.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn lock(&self, pan: &str, reason: u8) -> Result<OutsideLock> {
        let body = json!({ "cardNo": pan, "reasonCode": reason });
        self.verify(paths::LOCK_OUTSIDE, &body)
            .await?
            .expect(200)?
            .read_as()
    }

    /// Has a card's lock lifted.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn unlock(&self, pan: &str) -> Result<Answer> {
        self.verify(paths::UNLOCK_OUTSIDE, &json!({ "cardNo": pan }))
            .await
    }

    /// Whether this CVV is that card's.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn cvv(&self, pan: &str, exp: &str, cvv: &str) -> Result<Outcome> {
        let body = json!({ "cardNo": pan, "exp": exp, "cvv": cvv });
        Ok(self
            .verify(paths::VERIFY_CVV, &body)
            .await?
            .expect(200)?
            .read_as::<Verification>()?
            .outcome)
    }

    /// Whether this PIN is that card's, and how many tries are left.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn pin(&self, pan: &str, pin: &str) -> Result<Verification> {
        let body = json!({ "cardNo": pan, "pin": pin });
        self.verify(paths::VERIFY_PIN, &body)
            .await?
            .expect(200)?
            .read_as()
    }
}
