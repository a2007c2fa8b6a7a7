//! A partner's server that brings in cards which exist already: one by one, or as the rows of an import.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::Clock;

use super::card_desk::Opened;
use super::jose::{HolderProof, random_id};
use super::partner::PartnerServer;
use crate::answer::Answer;

/// A request to tokenise a card before it is sent; a test may bend it.
#[derive(Debug, Clone)]
pub struct Tokenisation {
    /// The path.
    pub path: String,
    /// The header `Idempotency-Key`, which the proof names.
    pub key: String,
    /// The compact JWE for the vault.
    pub payload: String,
    /// The proof, not signed yet.
    pub proof: HolderProof,
}

/// A row of an import as the partner signs it.
#[derive(Debug, Clone)]
pub struct SignedRow {
    /// The row's name.
    pub row: String,
    /// The compact JWE for the vault.
    pub payload: String,
    /// The partner's signature.
    pub holder_proof: String,
}

impl PartnerServer {
    /// A request for `user` with a fresh nonce; `content` is `{cardNo, exp, cvv?, balanceId?, name?, type?}`.
    ///
    /// # Errors
    /// When the challenge is refused.
    pub async fn tokenisation(&self, user: u64, content: &Value) -> Result<Tokenisation> {
        let prefix = Self::prefix(user);
        let desk = self.cards(&prefix);
        let (key, payload) = (random_id()?, desk.vault_key().await?.seal(content)?);
        let nonce = desk.holder_nonce().await?;
        Ok(Tokenisation {
            path: format!("/lifecycle/v1/users/{user}/cards"),
            proof: HolderProof::new("tokenise", &key, &nonce, desk.receiving())?.over(&payload),
            key,
            payload,
        })
    }

    /// Signs a request and sends it.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send_tokenisation(&self, request: &Tokenisation) -> Result<Answer> {
        let signed = request.proof.sign(self.signer())?;
        self.send_tokenisation_with(request, Some(&signed)).await
    }

    /// Sends a request with any proof, or none.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send_tokenisation_with(
        &self,
        request: &Tokenisation,
        proof: Option<&str>,
    ) -> Result<Answer> {
        let prefix = String::new();
        let call = self.door().call(Method::POST, &request.path);
        let call = call
            .idempotency_key(&request.key)
            .enc_sealed(self.cards(&prefix).receiving(), &request.payload);
        match proof {
            Some(proof) => call.header("Holder-Proof", proof).send().await,
            None => call.send().await,
        }
    }

    /// Brings a card in and opens the answer of that status, the vault's word checked.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn tokenise(&self, user: u64, content: &Value, status: u16) -> Result<Opened> {
        let request = self.tokenisation(user, content).await?;
        let answer = self.send_tokenisation(&request).await?;
        let prefix = Self::prefix(user);
        self.cards(&prefix).open(answer, status, Some(&request.proof))
    }

    /// Signs a row of an import under the nonce of the import's session: the row's name is `{import}:{row}`, and `rpk`
    /// names the key of the client certificate, which signs.
    ///
    /// # Errors
    /// When the vault's key does not hold, or the key cannot sign.
    pub async fn sign_row(&self, import: &str, row: &str, nonce: &str, content: &Value) -> Result<SignedRow> {
        let prefix = String::new();
        let desk = self.cards(&prefix);
        let (row, payload) = (format!("{import}:{row}"), desk.vault_key().await?.seal(content)?);
        let claims = json!({
            "op": "tokenise",
            "card": row,
            "nonce": nonce,
            "iat": Clock::System.unix_seconds(),
            "jti": random_id()?,
            "rpk": self.signer().thumbprint()?,
        });
        let proof = HolderProof {
            typ: "holder-proof+jwt".to_owned(),
            claims: claims.as_object().context("claims are an object")?.clone(),
        };
        Ok(SignedRow {
            holder_proof: proof.over(&payload).sign(self.signer())?,
            row,
            payload,
        })
    }
}
