//! Enrolment tickets as a partner's server makes them, and their secrets as its app shows them to the vault.

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use shared::clock::Clock;

use super::compact::sha256_base64url;
use super::holder_proof::{ProofSigner, random_id};
use super::vault_key::VaultKey;

/// How long a ticket holds, seconds.
const LIFE_SECONDS: i64 = 600;

/// A ticket before its signature, with the secret that goes another way.
#[derive(Clone)]
pub struct EnrolmentTicket {
    /// 128 random bits: for the app, never for the gateway.
    pub secret: String,
    /// The claims; a test may change them.
    pub claims: Map<String, Value>,
}

impl EnrolmentTicket {
    /// A ticket for the partner's user of that name.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new(external_id: &str) -> Result<Self> {
        let secret = random_id()?;
        let claims = json!({
            "aud": "spiffe://tessera/vault",
            "jti": random_id()?,
            "externalId": external_id,
            "secretHash": sha256_base64url(&secret),
            "exp": Clock::System.unix_seconds() + LIFE_SECONDS,
        });
        let Value::Object(claims) = claims else {
            bail!("claims are an object")
        };
        Ok(Self { secret, claims })
    }

    /// Replaces a claim.
    #[must_use]
    pub fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(claim.to_owned(), value.into());
        self
    }

    /// What the partner files with an activation code.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(&self, partner: &ProofSigner) -> Result<String> {
        partner.sign("enrolment-ticket+jwt", &Value::Object(self.claims.clone()))
    }

    /// What the app shows for its key: `enrolmentProof`.
    ///
    /// # Errors
    /// When the vault's key cannot be sealed to.
    pub fn proof(&self, vault: &VaultKey, key_thumbprint: &str) -> Result<String> {
        vault.seal(&json!({ "secret": self.secret, "jkt": key_thumbprint }))
    }
}

impl std::fmt::Debug for EnrolmentTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolmentTicket").finish_non_exhaustive()
    }
}
