//! The attacker of `5-proofs`: whoever has taken over the gateway, its certificate in hand, speaking to the vault directly.

use anyhow::Result;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use shared::vault_api::paths;

use super::door::{Call, Door};
use super::jose::{ReceivingKey, random_id};
use crate::answer::Answer;

/// The gateway's certificate without the gateway's code.
#[derive(Debug, Clone)]
pub struct RawGateway {
    door: Door,
}

impl RawGateway {
    /// An attacker at a door that was made with the gateway's certificate.
    #[must_use]
    pub const fn new(door: Door) -> Self {
        Self { door }
    }

    /// The vault's door.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// Whom the attacker claims to act for.
    #[must_use]
    pub fn actor() -> Value {
        json!({ "channel": "customers", "subject": "user:1001" })
    }

    /// A `POST` with an `Idempotency-Key` of its own.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        let call: Call = self.door.call(Method::POST, path).idempotency_key(&random_id()?);
        call.json(body).send().await
    }

    /// A reveal with the attacker's own key as recipient, and whatever proof it has.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn reveal(&self, token: &str, own: &ReceivingKey, proof: Option<&str>) -> Result<Answer> {
        let path = paths::reveal(&token.parse()?);
        self.post(&path, &self.operation(own, proof)?).await
    }

    /// The body of an operation that answers card data.
    ///
    /// # Errors
    /// When the key has no JWK.
    pub fn operation(&self, own: &ReceivingKey, proof: Option<&str>) -> Result<Value> {
        let mut body = json!({ "recipient": { "publicKey": own.public_jwk()? }, "actor": Self::actor() });
        if let (Some(proof), Some(members)) = (proof, body.as_object_mut()) {
            members.insert("holderProof".to_owned(), proof.into());
        }
        Ok(body)
    }
}
